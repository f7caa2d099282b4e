/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { equalBytes, labelledHash, toBase64Url, type Primitives } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory/verify';
import { unlockFetchRequest, unlockRenewRequest, unlockShareRequest } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import { orgIn, type Gate } from './gate.ts';
import { shortId, type Log } from './log-event.ts';
import { parsed } from './parsed.ts';
import type { WipeStore } from './wipe-store.ts';

/** What the routes of unlock shares work with. */
export interface UnlockRoutesOptions {
  readonly store: WipeStore;
  readonly gate: Gate;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes one call of somebody who is not logged in. @throws RelayError `rate-limited` */
  readonly admitStranger: () => void;
}

const SHARE = '/v1/organisations/:org/unlock-share';
const NOBODY = new Uint8Array(32);

/** Unlock shares: kept for active devices, given to whoever knows the id and the proof (docs/spec/unlock-lease.md). */
export function addUnlockRoutes(app: FastifyInstance, options: UnlockRoutesOptions): void {
  const { store, gate, clock, primitives } = options;

  app.post(SHARE, async (request, reply) => {
    const { org, state, device } = await gate.device(request);
    const share = parsed(unlockShareRequest, request.body);
    const nowMs = clock.now();
    const expiresMs = nowMs + leaseMsOf(state);
    const wrong = await store.putUnlockShare({ org, device: device.id, ...share, nowMs, expiresMs });
    return reply.code(201).send({ expiresAtMs: expiresMs, wrongAttempts: wrong });
  });

  app.post(`${SHARE}/renew`, async (request) => {
    const { org, state, device } = await gate.device(request);
    const { id } = parsed(unlockRenewRequest, request.body);
    const nowMs = clock.now();
    const expiresMs = nowMs + leaseMsOf(state);
    const wrong = await store.renewUnlockShare({ org, device: device.id, id, nowMs, expiresMs });
    if (wrong === null) throw noShare();
    return { expiresAtMs: expiresMs, wrongAttempts: wrong };
  });

  app.post(`${SHARE}/delete`, async (request) => {
    const { org, device } = await gate.device(request);
    return { deleted: await store.deleteUnlockShare(org, device.id) };
  });

  app.get(`${SHARE}/attempts`, async (request) => {
    const { org } = await gate.admin(request);
    const attempts = await store.listUnlockAttempts(org, clock.now());
    return { devices: attempts.map(({ device, wrong }) => ({ device, wrongAttempts: wrong })) };
  });

  app.post(`${SHARE}/fetch`, async (request) => {
    options.admitStranger();
    const org = orgIn(request);
    const { id, proof } = parsed(unlockFetchRequest, request.body);
    const chance = await store.takeUnlockAttempt({ org, id, nowMs: clock.now() });
    const isRight = equalBytes(labelledHash(primitives, 'unlockVerifier', proof), chance?.verifier ?? NOBODY);
    if (chance !== null && isRight) {
      await store.returnUnlockAttempt(org, id);
      return { share: toBase64Url(chance.share) };
    }
    options.log({
      event: 'unlock-refused',
      org: shortId(org),
      code: chance === null ? 'no-share' : 'wrong-proof',
    });
    if (chance === null) throw noShare();
    if (chance.left === 0) await store.deleteUsedUpShare(org, id);
    throw new RelayError('wrong-proof', 'not the proof that this share takes', { reason: `${chance.left}` });
  });
}

/** @throws RelayError `head-moved`: whoever asks for a lease does not know the newest policy */
function leaseMsOf({ policy, size }: DirectoryState): number {
  if (policy.leaseSeconds === undefined)
    throw new RelayError('head-moved', 'the policy has no lease', { size });
  return policy.leaseSeconds * 1000;
}

function noShare(): RelayError {
  return new RelayError('no-share', 'no such share, or not any more');
}
