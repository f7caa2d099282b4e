import { createSealingRecord, toBase64Url, toHex, type SealingRecord } from '@keytide/crypto-core';
import {
  acceptDeviceInvite,
  createDeviceInvite,
  createInvite,
  createRevokeDevice,
} from '@keytide/key-directory';
import { sealingRecordResponse, sealingRecordsResponse } from '@keytide/relay-protocol';
import { seededDevice, seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf } from './group.ts';
import { greet } from './line.ts';
import {
  appendLog,
  asDevice,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const world = seededWorld({ seed: 'sealing records', members: 1 });
const { org, clock, primitives, random } = world;
const founder = world.members[0].devices[0];
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
});
afterAll(() => relay.close());

async function append(wire: Uint8Array): Promise<void> {
  expect((await appendLog(relay, org, await tokenOf(relay, org, founder), wire)).status).toBe(201);
  world.append(wire);
}

/** A device whose first sealing key lasts a block from now, as it does in real life. */
async function newDevice(): Promise<SeededDevice> {
  const nowMs = clock.now();
  const context = { ...world.as(founder), random, member: world.members[0].id };
  const { wire, seed } = createDeviceInvite({ ...context, expiresMs: nowMs + DAY_MS });
  await append(wire);
  const device = seededDevice(primitives, random, nowMs);
  const own = { ...device.own, notAfterMs: nowMs + DAY_MS };
  await append(acceptDeviceInvite({ primitives, state: world.state, seed, device: own, nowMs }));
  return device;
}

const newKey = (): Uint8Array => primitives.decapsulator(random(32)).publicKey;

/** The record of the block that starts so many milliseconds from now, with changes. */
function recordOf(
  device: SeededDevice,
  startsInMs: number,
  changes: Partial<SealingRecord> = {},
): Uint8Array {
  const notBeforeMs = clock.now() + startsInMs;
  const record = { device: device.id, publicKey: newKey(), notBeforeMs, notAfterMs: notBeforeMs + DAY_MS };
  return createSealingRecord(primitives, device.signer, { ...record, ...changes });
}

async function publish(device: SeededDevice, record: Uint8Array): Promise<Answer> {
  const token = await tokenOf(relay, org, device);
  const body = { record: toBase64Url(record) };
  return call(relay, 'POST', `/organisations/${org}/sealing-records`, { token, body });
}

async function list(after: number) {
  const token = await tokenOf(relay, org, founder);
  const { status, body } = await call(relay, 'GET', `/organisations/${org}/sealing-records?after=${after}`, {
    token,
  });
  expect(status).toBe(200);
  const { records, ...rest } = sealingRecordsResponse.parse(body);
  return { ...rest, records: records.map(({ device, record }) => [device, toHex(record)]) };
}

const seqOf = ({ status, body }: Answer): number => {
  expect(status).toBe(201);
  return sealingRecordResponse.parse(body).seq;
};
const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason });
const refusedFor = (reason: string) => ({ status: 409, code: 'record-refused', reason });

test('a device publishes its next key; the same bytes again change nothing', async () => {
  const device = await newDevice();
  const { next } = await list(0);
  const record = recordOf(device, DAY_MS);
  const seq = seqOf(await publish(device, record));
  expect(seq).toBeGreaterThan(next);
  expect(seqOf(await publish(device, record))).toBe(seq);
  clock.advance(5 * DAY_MS);
  expect(seqOf(await publish(device, record))).toBe(seq);
  expect(await list(next)).toEqual({ records: [[device.id, toHex(record)]], next: seq, more: false });
  expect(await list(seq)).toEqual({ records: [], next: seq, more: false });
});

test('only the newest four of a device are kept, and a reader goes on from where it was', async () => {
  const [busy, calm] = [await newDevice(), await newDevice()];
  const { next: start } = await list(0);
  const calmRecord = recordOf(calm, DAY_MS);
  seqOf(await publish(calm, calmRecord));
  const records: Uint8Array[] = [];
  let last = 0;
  for (let day = 0; day < 6; day += 1) {
    records.push(recordOf(busy, DAY_MS));
    last = seqOf(await publish(busy, records[day] as Uint8Array));
    clock.advance(DAY_MS);
  }
  const kept = records.slice(2).map((record) => [busy.id, toHex(record)]);
  expect(await list(start)).toEqual({
    records: [[calm.id, toHex(calmRecord)], ...kept],
    next: last,
    more: false,
  });
  expect((await list(last - 1)).records).toEqual(kept.slice(3));
});

test('a key that overlaps, is backdated, starts too late or lasts too long is refused', async () => {
  const device = await newDevice();
  const bad = refusedFor('bad-validity');
  expect(outcome(await publish(device, recordOf(device, DAY_MS - 1)))).toEqual(bad);
  expect(outcome(await publish(device, recordOf(device, DAY_MS + 1)))).toEqual(bad);
  const notAfterMs = clock.now() + 2 * DAY_MS + 1;
  expect(outcome(await publish(device, recordOf(device, DAY_MS, { notAfterMs })))).toEqual(bad);
  seqOf(await publish(device, recordOf(device, DAY_MS)));
  expect(outcome(await publish(device, recordOf(device, DAY_MS)))).toEqual(bad);
  clock.advance(3 * DAY_MS);
  expect(outcome(await publish(device, recordOf(device, -1)))).toEqual(bad);
  seqOf(await publish(device, recordOf(device, 0)));
});

test('a key that was published before, or cannot be sealed to, is refused', async () => {
  const device = await newDevice();
  const bad = refusedFor('bad-key');
  const { publicKey: first } = device.decapsulator;
  expect(outcome(await publish(device, recordOf(device, DAY_MS, { publicKey: first })))).toEqual(bad);
  const publicKey = newKey();
  seqOf(await publish(device, recordOf(device, DAY_MS, { publicKey })));
  clock.advance(DAY_MS);
  expect(outcome(await publish(device, recordOf(device, DAY_MS, { publicKey })))).toEqual(bad);
  const unusable = new Uint8Array(1216).fill(0xff);
  expect(outcome(await publish(device, recordOf(device, DAY_MS, { publicKey: unusable })))).toEqual(bad);
});

test('a device publishes for itself alone', async () => {
  const [device, other] = [await newDevice(), await newDevice()];
  expect(outcome(await publish(device, recordOf(other, DAY_MS)))).toEqual(refusedFor('bad-signature'));
  const named = recordOf(device, DAY_MS, { device: other.id });
  expect(outcome(await publish(device, named))).toEqual(refusedFor('wrong-context'));
  const { next } = await list(0);
  const altered = recordOf(device, DAY_MS);
  altered[altered.length - 1] = (altered[altered.length - 1] as number) ^ 1;
  expect(outcome(await publish(device, altered))).toEqual(refusedFor('bad-signature'));
  expect(await list(next)).toMatchObject({ records: [] });
});

test('a revoked device and an invite publish nothing, and an invite reads nothing', async () => {
  const device = await newDevice();
  const token = await tokenOf(relay, org, device);
  await append(createRevokeDevice({ ...world.as(founder), device: device.id }));
  const at = `/organisations/${org}/sealing-records`;
  const body = { record: toBase64Url(recordOf(device, DAY_MS)) };
  expect(outcome(await call(relay, 'POST', at, { token, body }))).toMatchObject({ code: 'session-ended' });
  expect((await tryLogin(relay, org, asDevice(device))).status).toBe(401);

  const expiresMs = clock.now() + DAY_MS;
  const invite = createInvite({ ...world.as(founder), random, role: 'admin', expiresMs });
  await append(invite.wire);
  const signer = invite.seed.use((seed) => primitives.signer(seed));
  const login = await tryLogin(relay, org, { subject: { kind: 'invite', id: invite.id }, signer });
  const inviteToken = login.body.token;
  const refused = { status: 403, code: 'not-a-member', reason: undefined };
  expect(outcome(await call(relay, 'POST', at, { token: inviteToken, body }))).toEqual(refused);
  expect(outcome(await call(relay, 'GET', `${at}?after=0`, { token: inviteToken }))).toEqual(refused);
  const note = { note: 'x' };
  const cosign = await call(relay, 'POST', `/organisations/${org}/log/cosignatures`, {
    token: inviteToken,
    body: note,
  });
  expect(outcome(cosign)).toEqual(refused);
  // What goes with the log is for whoever reads the log.
  const lookup = await call(relay, 'GET', `/organisations/${org}/directory/devices/${founder.id}`, {
    token: inviteToken,
  });
  expect(lookup.status).toBe(200);
});

test('what is no record is malformed', async () => {
  const device = await newDevice();
  const token = await tokenOf(relay, org, device);
  const at = `/organisations/${org}/sealing-records`;
  const good = recordOf(device, DAY_MS);
  for (const body of [
    {},
    { record: 'a+b' },
    { record: toBase64Url(good.slice(0, -1)) },
    { record: toBase64Url(random(100)) },
    { record: toBase64Url(new Uint8Array(2_049)) },
    { record: toBase64Url(good), more: 1 },
  ])
    expect(outcome(await call(relay, 'POST', at, { token, body }))).toMatchObject({
      status: 400,
      code: 'malformed',
    });
});

test('of many at once, the same record is kept once and rivals lose', async () => {
  const device = await newDevice();
  const { next } = await list(0);
  const record = recordOf(device, DAY_MS);
  const same = await Promise.all([1, 2, 3, 4].map(() => publish(device, record)));
  expect(new Set(same.map(seqOf)).size).toBe(1);
  clock.advance(DAY_MS);
  const rivals = await Promise.all([1, 2, 3, 4].map(() => publish(device, recordOf(device, DAY_MS))));
  expect(rivals.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409]);
  expect((await list(next)).records).toHaveLength(2);
});

test('a silent device goes without a box, and nobody else', async () => {
  const device = await newDevice();
  const { everyone } = world.state;
  const recipients = [...world.state.devices.values()]
    .filter(({ revokedAt }) => revokedAt === null)
    .map(({ id, sealing }) => ({ device: id, encapsulator: primitives.encapsulator(sealing.publicKey) }));
  const announce = async (without: readonly string[]) => {
    const frame = await announceOf(world, founder, 1, null, { recipients });
    const boxes = frame.boxes.filter((box) => !without.includes(box.device));
    const line = await greet(relay, await tokenOf(relay, org, founder));
    line.send({ ...frame, boxes });
    const answer = await Promise.race([line.next('appended'), line.next('refused')]);
    line.socket.close();
    return 'code' in answer ? answer.code : answer.type;
  };
  // Those of earlier tests are silent by now, and stay so.
  const earlier = recipients.map((one) => one.device).filter((id) => id !== device.id && id !== founder.id);
  clock.advance(2 * DAY_MS - 1);
  expect(await announce([...earlier, device.id])).toBe('stale-directory');
  expect(await announce([founder.id])).toBe('stale-directory');
  seqOf(await publish(device, recordOf(device, 0)));
  clock.advance(DAY_MS);
  expect(await announce([...earlier, device.id])).toBe('stale-directory');
  clock.advance(DAY_MS);
  expect(await announce([...earlier, device.id, founder.id])).toBe('stale-directory');
  expect(await announce([device.id])).toBe('appended');
  const token = await tokenOf(relay, org, device);
  const box = await call(relay, 'GET', `/organisations/${org}/groups/${everyone}/boxes/1`, { token });
  expect(outcome(box)).toMatchObject({ status: 404, code: 'no-box' });
});

test('the log of the relay names no device and holds no key', () => {
  const text = JSON.stringify(relay.events);
  for (const { id, signingPublicKey } of world.state.devices.values()) {
    expect(text).not.toContain(id);
    expect(text).not.toContain(toBase64Url(signingPublicKey));
  }
});
