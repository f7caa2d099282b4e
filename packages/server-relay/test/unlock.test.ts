import { labelledHash, toBase64Url } from '@keytide/crypto-core';
import { createPolicyChange, createRevokeDevice, createWipe } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const LEASE_SECONDS = 86_400;
const times = { blockSeconds: 60, retentionSeconds: 60, exportSeconds: 60 };
const policy = { ...times, leaseSeconds: LEASE_SECONDS };
const world = seededWorld({ seed: 'unlock', members: 4, policy });
const { clock, primitives, random, org } = world;
const [ada, bo, cy, dee] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const SHARE = `/organisations/${org}/unlock-share`;
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock, limits: { strangerBurst: 200, strangersPerSecond: 200 } });
  await settle(relay, world);
});
afterAll(() => relay.close());

interface Kept {
  readonly id: Uint8Array;
  readonly share: Uint8Array;
  readonly proof: Uint8Array;
}

const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason ?? null });
const noShare = { status: 404, code: 'no-share', reason: null };
const wrong = (left: number) => ({ status: 401, code: 'wrong-proof', reason: `${left}` });

/** A device's share at the relay. */
async function keep(device: SeededDevice): Promise<Kept> {
  const kept = { id: random(32), share: random(32), proof: random(32) };
  expect((await put(device, kept)).status).toBe(201);
  return kept;
}

async function put(device: SeededDevice, { id, share, proof }: Kept): Promise<Answer> {
  const verifier = labelledHash(primitives, 'unlockVerifier', proof);
  const body = { id: toBase64Url(id), share: toBase64Url(share), verifier: toBase64Url(verifier) };
  return call(relay, 'POST', SHARE, { token: await tokenOf(relay, org, device), body });
}

const fetchShare = ({ id }: Pick<Kept, 'id'>, proof: Uint8Array) =>
  call(relay, 'POST', `${SHARE}/fetch`, { body: { id: toBase64Url(id), proof: toBase64Url(proof) } });

async function renew(device: SeededDevice, { id }: Kept): Promise<Answer> {
  const token = await tokenOf(relay, org, device);
  return call(relay, 'POST', `${SHARE}/renew`, { token, body: { id: toBase64Url(id) } });
}

const gives = async (kept: Kept) => {
  const { status, body } = await fetchShare(kept, kept.proof);
  return status === 200 && (body as unknown as { share: string }).share === toBase64Url(kept.share);
};

test('the share goes to whoever has its id and the proof, with no session', async () => {
  const kept = await keep(bo);
  expect(await gives(kept)).toBe(true);
  expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(9));
  expect(outcome(await fetchShare({ id: random(32) }, kept.proof))).toEqual(noShare);
  const elsewhere = `/organisations/${'ab'.repeat(32)}/unlock-share/fetch`;
  const body = { id: toBase64Url(kept.id), proof: toBase64Url(kept.proof) };
  expect(outcome(await call(relay, 'POST', elsewhere, { body }))).toEqual(noShare);
});

test('ten wrong proofs destroy it, whatever the device does meanwhile and however many right ones are between', async () => {
  const kept = await keep(bo);
  for (let left = 9; left > 5; left -= 1) {
    expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(left));
    expect(await gives(kept)).toBe(true);
  }
  expect((await renew(bo, kept)).body).toMatchObject({ wrongAttempts: 4 });
  expect((await put(bo, kept)).body).toMatchObject({ wrongAttempts: 4 });
  const rest = await Promise.all(Array.from({ length: 9 }, () => fetchShare(kept, random(32))));
  expect(rest.map(({ body }) => body.code).toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => 'no-share'),
    ...Array.from({ length: 6 }, () => 'wrong-proof'),
  ]);
  expect(await gives(kept)).toBe(false);
  expect(outcome(await renew(bo, kept))).toEqual(noShare);
});

test('wrong proofs are counted for one lease from the first on, and admins are told whose', async () => {
  const kept = await keep(dee);
  const told = async (device = ada) => {
    const token = await tokenOf(relay, org, device);
    return call(relay, 'GET', `${SHARE}/attempts`, { token });
  };
  const half = (LEASE_SECONDS * 1000) / 2;
  expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(9));
  clock.advance(half);
  expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(8));
  expect((await told()).body).toEqual({ devices: [{ device: dee.id, wrongAttempts: 2 }] });
  expect(outcome(await told(bo))).toEqual({ status: 403, code: 'not-a-member', reason: null });
  expect((await renew(dee, kept)).body).toMatchObject({ wrongAttempts: 2 });
  clock.advance(half);
  expect((await renew(dee, kept)).body).toMatchObject({ wrongAttempts: 0 });
  expect((await told()).body).toEqual({ devices: [] });
  expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(9));
  // A new share has attempts of its own.
  expect((await put(dee, { ...kept, id: random(32) })).body).toMatchObject({ wrongAttempts: 0 });
});

test('it is there for as long as the lease after the last word of its device, and not longer', async () => {
  const kept = await keep(cy);
  clock.advance(LEASE_SECONDS * 1000 - 1);
  expect((await renew(cy, kept)).status).toBe(200);
  clock.advance(LEASE_SECONDS * 1000 - 1);
  expect(await gives(kept)).toBe(true);
  // Being asked for is no word of the device.
  clock.advance(1);
  expect(outcome(await fetchShare(kept, kept.proof))).toEqual(noShare);
  expect(outcome(await renew(cy, kept))).toEqual(noShare);
});

test('only the device itself keeps, renews and deletes its share', async () => {
  const kept = await keep(bo);
  expect(outcome(await renew(ada, kept))).toEqual(noShare);
  for (const route of [SHARE, `${SHARE}/renew`, `${SHARE}/delete`])
    expect((await call(relay, 'POST', route, { body: {} })).body.code).toBe('session-ended');
  const token = await tokenOf(relay, org, ada);
  expect((await call(relay, 'POST', `${SHARE}/delete`, { token, body: {} })).body).toEqual({
    deleted: false,
  });
  expect(await gives(kept)).toBe(true);
  const own = await tokenOf(relay, org, bo);
  expect((await call(relay, 'POST', `${SHARE}/delete`, { token: own, body: {} })).body).toEqual({
    deleted: true,
  });
  expect(await gives(kept)).toBe(false);
});

test('a wipe and a revocation destroy it at once, and a wiped device keeps no other', async () => {
  const [first, second] = [await keep(bo), await keep(dee)];
  const token = await tokenOf(relay, org, ada);
  for (const wire of [createWipe({ ...world.as(ada), target: { of: 'device', device: bo.id } }), null]) {
    const entry = wire ?? createRevokeDevice({ ...world.as(ada), device: dee.id });
    expect((await appendLog(relay, org, token, entry)).status).toBe(201);
    world.append(entry);
  }
  expect(outcome(await fetchShare(first, first.proof))).toEqual(noShare);
  expect(outcome(await fetchShare(second, second.proof))).toEqual(noShare);
  expect(outcome(await put(bo, first))).toEqual({ status: 403, code: 'not-a-member', reason: null });
});

test('a flood of strangers keeps nobody from unlocking; the relay’s log says nothing of whom they asked for', async () => {
  const kept = await keep(ada);
  const path = `/organisations/${org}/challenges`;
  const body = { subject: { kind: 'device', id: ada.id } };
  const flood = await Promise.all(Array.from({ length: 250 }, () => call(relay, 'POST', path, { body })));
  expect(flood.some(({ body: { code } }) => code === 'rate-limited')).toBe(true);
  const before = relay.events.length;
  for (let i = 0; i < 3; i += 1)
    expect(outcome(await fetchShare({ id: random(32) }, random(32)))).toEqual(noShare);
  expect(relay.events.length).toBe(before);
  expect(outcome(await fetchShare(kept, random(32)))).toEqual(wrong(9));
  expect(relay.events.slice(before)).toEqual([
    { event: 'unlock-refused', org: org.slice(0, 8), code: 'wrong-proof' },
  ]);
  expect(await gives(kept)).toBe(true);
  clock.advance(60_000);
});

test('without a lease in the policy there is no share to keep', async () => {
  clock.advance(5_000);
  const wire = createPolicyChange({ ...world.as(ada), policy: times });
  expect((await appendLog(relay, org, await tokenOf(relay, org, ada), wire)).status).toBe(201);
  const kept = { id: random(32), share: random(32), proof: random(32) };
  expect((await put(ada, kept)).body.code).toBe('head-moved');
});
