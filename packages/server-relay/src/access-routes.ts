import {
  CryptoError,
  fromHex,
  toBase64Url,
  toHex,
  verifyAccessAnswer,
  verifyAccessRequest,
  type AccessRequest,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import { isActive } from '@keytide/key-directory/verify';
import {
  accessAnswerRequest,
  accessAnswersResponse,
  accessRequestRequest,
  accessRequestResponse,
  accessRequestsQuery,
  accessRequestsResponse,
  doneResponse,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { AccessStore, StoredAccessRequest } from './access-store.ts';
import type { Clock } from './clock.ts';
import type { Routes } from './create-routes.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import { hex32, type EnteredDevice } from './gate.ts';
import type { RelayLimits } from './limits.ts';
import type { Sockets } from './sockets.ts';
import { adminDevices } from './standing.ts';

/** What the routes of access requests work with. */
export interface AccessRoutesOptions {
  readonly store: AccessStore;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly limits: Pick<RelayLimits, 'accessRequestMs'>;
  readonly rates: MemberRates;
  /** Tells devices to look here again. */
  readonly hint: Sockets['hint'];
}

const REQUESTS = '/v1/organisations/:org/access/requests';
const requestParams = z.object({ id: hex32.transform((id) => fromHex(id) as Uint8Array) });

/** Requests for epoch keys and their answers (docs/spec/access.md): kept, ordered by nothing, judged by the devices. */
export function addAccessRoutes(routes: Routes, options: AccessRoutesOptions): void {
  const { store, primitives, clock, limits, rates, hint } = options;

  routes.add(
    {
      method: 'post',
      path: REQUESTS,
      who: 'device',
      summary: 'Asks for epoch keys',
      body: accessRequestRequest,
      answer: accessRequestResponse,
      status: 201,
      refusals: ['rate-limited', 'unsupported-version', 'wrong-author', 'wrong-group'],
    },
    async ({ caller: { org, state, device }, body: { request: wire } }) => {
      // Before any signature is checked; taking a request back gives nothing back.
      if (!rates.admits({ org, device }))
        throw new RelayError('rate-limited', 'this device, or its member, has asked too often');
      const { hash, group } = signedRequest(primitives, { org, state, device }, wire);
      const nowMs = clock.now();
      const kept = await store.putAccessRequest({
        org,
        id: hash,
        group,
        device: device.id,
        wire,
        nowMs,
        sinceMs: nowMs - limits.accessRequestMs,
        expiresMs: nowMs + state.policy.exportSeconds * 1000,
      });
      if (kept === 'too-soon') throw new RelayError('rate-limited', 'this device has just asked');
      if (kept === 'kept') hint(org, adminDevices(state), 'access');
      return { id: toHex(hash) };
    },
  );

  routes.add(
    {
      method: 'get',
      path: REQUESTS,
      who: 'admin',
      summary: 'Requests for epoch keys that wait for an answer',
      query: accessRequestsQuery,
      answer: accessRequestsResponse,
    },
    async ({ caller: { org }, query: { after } }) => {
      const from = after === undefined ? null : fromHex(after);
      const { requests, more } = await store.listAccessRequests(org, from, clock.now());
      const last = requests[requests.length - 1];
      const next = more && last !== undefined ? toHex(last.id) : null;
      return { requests: requests.map(({ wire }) => toBase64Url(wire)), next };
    },
  );

  routes.add(
    {
      method: 'delete',
      path: `${REQUESTS}/:id`,
      who: 'device',
      summary: 'Takes a request of the calling device back',
      params: requestParams,
      answer: doneResponse,
    },
    async ({ caller: { org, device }, params: { id } }) => {
      await store.deleteAccessRequest(org, id, device.id);
      return {};
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${REQUESTS}/:id/answers`,
      who: 'admin',
      summary: 'Answers a request for epoch keys',
      params: requestParams,
      body: accessAnswerRequest,
      answer: doneResponse,
      status: 201,
      refusals: ['unknown-request', 'unsupported-version', 'wrong-author'],
    },
    async ({ caller: { org, state, device }, params: { id }, body: { answer: wire } }) => {
      const asked = await stored(store, org, id, clock.now());
      const verifier = primitives.verifier(device.signingPublicKey);
      const answer = inRelayTerms(() => verifyAccessAnswer(primitives, verifier, wire));
      if (toHex(answer.request) !== toHex(asked.id))
        throw new RelayError('unknown-request', 'an answer to another request');
      const entry = { org, id: asked.id, author: device.id, wire, nowMs: clock.now() };
      if (!(await store.putAccessAnswer(entry)))
        throw new RelayError('unknown-request', 'the request is over, or has its answers');
      if (isActive(state, asked.device)) hint(org, [asked.device], 'access');
      return {};
    },
  );

  routes.add(
    {
      method: 'get',
      path: `${REQUESTS}/:id/answers`,
      who: 'device',
      summary: 'Answers to a request of the calling device',
      params: requestParams,
      answer: accessAnswersResponse,
      refusals: ['unknown-request'],
    },
    async ({ caller: { org, device }, params }) => {
      const { id, device: asker } = await stored(store, org, params.id, clock.now());
      if (asker !== device.id) throw new RelayError('unknown-request', 'a request of another device');
      return { answers: (await store.readAccessAnswers(org, id)).map(toBase64Url) };
    },
  );
}

async function stored(
  store: AccessStore,
  org: OrgId,
  id: Uint8Array,
  nowMs: number,
): Promise<StoredAccessRequest> {
  const found = await store.readAccessRequest(org, id, nowMs);
  if (found === null) throw new RelayError('unknown-request', 'no such request');
  return found;
}

/** A request that every admin's device would read as this device's own: else it would only fill the table. */
function signedRequest(
  primitives: Primitives,
  { org, state, device }: Pick<EnteredDevice, 'org' | 'state' | 'device'>,
  wire: Uint8Array,
): AccessRequest {
  const verifier = primitives.verifier(device.signingPublicKey);
  const request = inRelayTerms(() => verifyAccessRequest(primitives, verifier, wire));
  if (request.org !== org || request.group !== state.everyone)
    throw new RelayError('wrong-group', 'not a group of this organisation');
  return request;
}

function inRelayTerms<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    const { code } = cause;
    if (code === 'too-large' || code === 'unsupported-version' || code === 'malformed')
      throw new RelayError(code, 'not what the specification says', { cause });
    throw new RelayError('wrong-author', 'not signed by the device of this session', { cause });
  }
}
