import { equalBytes, labelledHash, toBase64Url, type Primitives } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory/verify';
import {
  unlockAttemptsResponse,
  unlockDeleteResponse,
  unlockFetchRequest,
  unlockFetchResponse,
  unlockLeaseResponse,
  unlockRenewRequest,
  unlockShareRequest,
} from '@keytide/relay-protocol';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import { RelayError } from './errors.ts';
import { orgParams } from './gate.ts';
import { shortId, type Log } from './log-event.ts';
import type { WipeStore } from './wipe-store.ts';

/** What the routes of unlock shares work with. */
export interface UnlockRoutesOptions {
  readonly store: WipeStore;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly log: Log;
}

const SHARE = '/v1/organisations/:org/unlock-share';
const NOBODY = new Uint8Array(32);

/** Unlock shares: kept for active devices, given to whoever knows the id and the proof (docs/spec/unlock-lease.md). */
export function addUnlockRoutes(routes: Routes, options: UnlockRoutesOptions): void {
  const { store, clock, primitives } = options;

  routes.add(
    {
      method: 'post',
      path: SHARE,
      who: 'device',
      summary: "Keeps the calling device's unlock share for as long as a lease lasts",
      body: unlockShareRequest,
      answer: unlockLeaseResponse,
      status: 201,
      refusals: ['head-moved'],
    },
    async ({ caller: { org, state, device }, body: share }) => {
      const nowMs = clock.now();
      const expiresMs = nowMs + leaseMsOf(state);
      const asOf = { nowMs, logSize: state.size };
      const wrong = await store.putUnlockShare({ org, device: device.id, ...share, ...asOf, expiresMs });
      if (wrong === null)
        throw new RelayError('head-moved', 'the log has grown meanwhile: catch up first', {
          size: state.size,
        });
      return { expiresAtMs: expiresMs, wrongAttempts: wrong };
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${SHARE}/renew`,
      who: 'device',
      summary: 'Renews the lease of an unlock share',
      body: unlockRenewRequest,
      answer: unlockLeaseResponse,
      refusals: ['head-moved', 'no-share'],
    },
    async ({ caller: { org, state, device }, body: { id } }) => {
      const nowMs = clock.now();
      const expiresMs = nowMs + leaseMsOf(state);
      const wrong = await store.renewUnlockShare({ org, device: device.id, id, nowMs, expiresMs });
      if (wrong === null) throw noShare();
      return { expiresAtMs: expiresMs, wrongAttempts: wrong };
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${SHARE}/delete`,
      who: 'device',
      summary: "Forgets the calling device's unlock share",
      answer: unlockDeleteResponse,
    },
    async ({ caller: { org, device } }) => ({ deleted: await store.deleteUnlockShare(org, device.id) }),
  );

  routes.add(
    {
      method: 'get',
      path: `${SHARE}/attempts`,
      who: 'admin',
      summary: 'Devices with wrong attempts at their unlock shares',
      answer: unlockAttemptsResponse,
    },
    async ({ caller: { org } }) => {
      const attempts = await store.listUnlockAttempts(org, clock.now());
      return { devices: attempts.map(({ device, wrong }) => ({ device, wrongAttempts: wrong })) };
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${SHARE}/fetch`,
      // Not counted with the strangers: a flood of those must not keep everybody's devices locked.
      who: 'anyone',
      summary: 'Gives an unlock share to whoever knows its id and its proof',
      params: orgParams,
      body: unlockFetchRequest,
      answer: unlockFetchResponse,
      refusals: ['no-share', 'wrong-proof'],
    },
    async ({ params: { org }, body: { id, proof } }) => {
      const chance = await store.takeUnlockAttempt({ org, id, nowMs: clock.now() });
      const hash = labelledHash(primitives, 'unlockVerifier', proof);
      const isRight = equalBytes(hash, chance?.verifier ?? NOBODY);
      if (chance !== null && isRight) {
        await store.returnUnlockAttempt(org, id);
        return { share: toBase64Url(chance.share) };
      }
      // Who has no id of a share makes no line in the log: there may be many of them.
      if (chance === null) throw noShare();
      options.log({ event: 'unlock-refused', org: shortId(org), code: 'wrong-proof' });
      if (chance.left === 0) await store.deleteUsedUpShare(org, id);
      throw new RelayError('wrong-proof', 'not the proof that this share takes', {
        reason: `${chance.left}`,
      });
    },
  );
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
