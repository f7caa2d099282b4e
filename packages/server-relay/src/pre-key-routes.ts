/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { deviceId, toBase64Url } from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory/verify';
import { LIMITS, preKeysRequest } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import { hex32, type Gate } from './gate.ts';
import { parsed } from './parsed.ts';
import type { PreKeyStore } from './pre-key-store.ts';

/** What the routes of pre-keys work with. */
export interface PreKeyRoutesOptions {
  readonly store: PreKeyStore;
  readonly gate: Gate;
  readonly clock: Clock;
  /** How often one device, and one member, is given those of others. */
  readonly rates: MemberRates;
}

const PRE_KEYS = '/v1/organisations/:org/pre-keys';
/** As long as a bundle says that it is valid (docs/spec/pairwise.md). */
const KEPT_MS = 60 * 86_400_000;
const deviceParams = z.object({ device: hex32 });

/** Pre-keys of devices, for those who start sessions with them (docs/spec/pre-keys.md). Whose they are is the session's word. */
export function addPreKeyRoutes(
  app: FastifyInstance,
  { store, gate, clock, rates }: PreKeyRoutesOptions,
): void {
  app.get(PRE_KEYS, async (request) => {
    const { org, device } = await gate.device(request);
    return { left: await store.countPreKeys(org, device.id, clock.now()) };
  });

  app.post(PRE_KEYS, async (request, reply) => {
    const { org, device } = await gate.device(request);
    const { bundle, oneTime, replacesAll } = parsed(preKeysRequest, request.body);
    const isKept = await store.putPreKeys({
      org,
      device: device.id,
      bundle,
      oneTime,
      replacesAll,
      expiresMs: clock.now() + KEPT_MS,
      most: LIMITS.oneTimePreKeys,
    });
    if (!isKept) throw new RelayError('quota-exceeded', 'too many one-time pre-keys');
    return reply.code(201).send({});
  });

  app.post(`${PRE_KEYS}/:device`, async (request) => {
    const { org, state, device } = await gate.device(request);
    const wanted = deviceId(parsed(deviceParams, request.params).device);
    if (wanted === device.id || !isActive(state, wanted))
      throw new RelayError('not-a-recipient', 'not another active device');
    if (!rates.admits(device)) throw new RelayError('rate-limited', 'too many pre-keys at once');
    const found = await store.takePreKeys(org, wanted, clock.now());
    if (found === null) throw new RelayError('no-pre-keys', 'no pre-keys of that device');
    const { bundle, oneTime } = found;
    return { bundle: toBase64Url(bundle), oneTime: oneTime === null ? null : toBase64Url(oneTime) };
  });
}
