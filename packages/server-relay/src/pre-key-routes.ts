import { deviceId, toBase64Url } from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory/verify';
import {
  LIMITS,
  preKeyOfferResponse,
  preKeysRequest,
  preKeysResponse,
  preKeyStockResponse,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import { hex32 } from './gate.ts';
import type { PreKeyStore } from './pre-key-store.ts';

/** What the routes of pre-keys work with. */
export interface PreKeyRoutesOptions {
  readonly store: PreKeyStore;
  readonly clock: Clock;
  /** How often one device, and one member, is given those of others. */
  readonly rates: MemberRates;
}

const PRE_KEYS = '/v1/organisations/:org/pre-keys';
/** As long as a bundle says that it is valid (docs/spec/pairwise.md). */
const KEPT_MS = 60 * 86_400_000;
const deviceParams = z.object({ device: hex32 });

/** Pre-keys of devices, for those who start sessions with them (docs/spec/pre-keys.md). Whose they are is the session's word. */
export function addPreKeyRoutes(routes: Routes, { store, clock, rates }: PreKeyRoutesOptions): void {
  routes.add(
    {
      method: 'get',
      path: PRE_KEYS,
      who: 'device',
      summary: 'How many one-time pre-keys of the calling device are left',
      answer: preKeyStockResponse,
    },
    async ({ caller: { org, device } }) => ({ left: await store.countPreKeys(org, device.id, clock.now()) }),
  );

  routes.add(
    {
      method: 'post',
      path: PRE_KEYS,
      who: 'device',
      summary: 'Hands in pre-keys of the calling device',
      body: preKeysRequest,
      answer: preKeysResponse,
      status: 201,
      refusals: ['quota-exceeded'],
    },
    async ({ caller: { org, device }, body: { bundle, oneTime, replacesAll } }) => {
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
      return {};
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${PRE_KEYS}/:device`,
      who: 'device',
      summary: 'Takes pre-keys of another device, to start a session with it',
      params: deviceParams,
      answer: preKeyOfferResponse,
      refusals: ['not-a-recipient', 'rate-limited', 'no-pre-keys'],
    },
    async ({ caller: { org, state, device }, params }) => {
      const wanted = deviceId(params.device);
      if (wanted === device.id || !isActive(state, wanted))
        throw new RelayError('not-a-recipient', 'not another active device');
      if (!rates.admits({ org, device })) throw new RelayError('rate-limited', 'too many pre-keys at once');
      const found = await store.takePreKeys(org, wanted, clock.now());
      if (found === null) throw new RelayError('no-pre-keys', 'no pre-keys of that device');
      const { bundle, oneTime } = found;
      return { bundle: toBase64Url(bundle), oneTime: oneTime === null ? null : toBase64Url(oneTime) };
    },
  );
}
