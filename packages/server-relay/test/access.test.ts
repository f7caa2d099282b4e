import {
  createAccessAnswer,
  createAccessRequest,
  fromBase64Url,
  groupId,
  orgId,
  parseAccessRequest,
  Secret,
  toBase64Url,
  toHex,
  verifyAccessRequest,
  type AccessRequestFields,
  type OpenedAccessAnswer,
} from '@keytide/crypto-core';
import { createRevokeDevice, createRoleChange, type Device } from '@keytide/key-directory';
import { accessAnswersResponse, accessRequestsResponse, LIMITS } from '@keytide/relay-protocol';
import { DEFAULT_LIMITS } from '@keytide/server-relay';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { greet } from './line.ts';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const world = seededWorld({ seed: 'access routes', members: 4, admins: 2 });
const { org, clock, primitives, random } = world;
const [alice, bob, carol, dave] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const path = `/organisations/${org}/access/requests`;
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
});
afterAll(() => relay.close());

function requestOf({ id, signer }: SeededDevice, changes: Partial<AccessRequestFields> = {}): Uint8Array {
  return createAccessRequest(primitives, signer, {
    org,
    group: world.state.everyone,
    device: id,
    firstEpoch: 1,
    lastEpoch: 3,
    oneUseKey: primitives.decapsulator(random(32)).publicKey,
    nonce: random(32),
    checkpoint: { size: world.state.size, root: world.state.root },
    createdMs: clock.now(),
    ...changes,
  });
}

function answerOf({ signer }: SeededDevice, wire: Uint8Array, content?: OpenedAccessAnswer): Uint8Array {
  const request = parseAccessRequest(primitives, wire);
  const keys = [{ epoch: 1, key: Secret.own(random(32)) }];
  const granted = { verdict: 'granted', keys } as const;
  return createAccessAnswer({
    primitives,
    signer,
    request,
    content: content ?? granted,
    createdMs: clock.now(),
  });
}

const idOf = (wire: Uint8Array): string => toHex(parseAccessRequest(primitives, wire).hash);

async function as(
  device: SeededDevice,
  method: 'GET' | 'POST' | 'DELETE',
  place = '',
  body?: unknown,
): Promise<Answer> {
  const token = await tokenOf(relay, org, device);
  return call(relay, method, path + place, { token, ...(body === undefined ? {} : { body }) });
}
const ask = (device: SeededDevice, wire: Uint8Array) =>
  as(device, 'POST', '', { request: toBase64Url(wire) });
const answer = (device: SeededDevice, id: string, wire: Uint8Array) =>
  as(device, 'POST', `/${id}/answers`, { answer: toBase64Url(wire) });
const refusal = ({ status, body }: Answer) => [status, body.code];

async function listed(device: SeededDevice): Promise<string[]> {
  const { status, body } = await as(device, 'GET');
  expect(status).toBe(200);
  return accessRequestsResponse.parse(body).requests.map(idOf);
}

async function answersTo(device: SeededDevice, id: string): Promise<string[]> {
  const { status, body } = await as(device, 'GET', `/${id}/answers`);
  expect(status).toBe(200);
  return accessAnswersResponse.parse(body).answers.map(toHex);
}

test('a request is shown to admins, answered, taken and forgotten', async () => {
  const wire = requestOf(carol);
  const id = idOf(wire);
  expect((await ask(carol, wire)).body).toEqual({ id });
  expect(await ask(carol, wire)).toMatchObject({ status: 201, body: { id } });
  for (const admin of [alice, bob]) expect(await listed(admin)).toEqual([id]);
  const grants = [answerOf(alice, wire), answerOf(bob, wire)];
  expect((await answer(alice, id, grants[0] as Uint8Array)).status).toBe(201);
  expect((await answer(bob, id, grants[1] as Uint8Array)).status).toBe(201);
  expect((await answersTo(carol, id)).toSorted()).toEqual(grants.map(toHex).toSorted());
  expect((await as(dave, 'DELETE', `/${id}`)).status).toBe(200);
  expect(await listed(alice)).toEqual([id]);
  expect((await as(carol, 'DELETE', `/${id}`)).status).toBe(200);
  expect(await listed(alice)).toEqual([]);
  expect(refusal(await as(carol, 'GET', `/${id}/answers`))).toEqual([404, 'unknown-request']);
});

test("only admins read others' requests, and only the asker reads the answers", async () => {
  const wire = requestOf(carol);
  const id = idOf(wire);
  clock.advance(2_000);
  await ask(carol, wire);
  expect(refusal(await as(dave, 'GET'))).toEqual([403, 'not-a-member']);
  for (const other of [dave, alice])
    expect(refusal(await as(other, 'GET', `/${id}/answers`))).toEqual([404, 'unknown-request']);
  expect(refusal(await call(relay, 'GET', path))).toEqual([401, 'session-ended']);
});

test('only admins answer, under their own name, and to the request that it says', async () => {
  clock.advance(2_000);
  const [wire, other] = [requestOf(carol), requestOf(dave)];
  const id = idOf(wire);
  await ask(carol, wire);
  await ask(dave, other);
  expect(refusal(await answer(dave, id, answerOf(dave, wire)))).toEqual([403, 'not-a-member']);
  expect(refusal(await answer(alice, id, answerOf(bob, wire)))).toEqual([403, 'wrong-author']);
  expect(refusal(await answer(alice, id, answerOf(alice, other)))).toEqual([404, 'unknown-request']);
  expect(refusal(await answer(alice, '00'.repeat(32), answerOf(alice, wire)))).toEqual([
    404,
    'unknown-request',
  ]);
  expect(refusal(await answer(alice, 'nonsense', answerOf(alice, wire)))).toEqual([400, 'malformed']);
  expect(refusal(await answer(alice, id, random(100)))).toEqual([400, 'malformed']);
  expect(refusal(await answer(alice, id, random(LIMITS.accessAnswerBytes + 1)))).toEqual([400, 'malformed']);
  expect(await answersTo(carol, id)).toEqual([]);
  expect((await answer(alice, id, answerOf(alice, wire, { verdict: 'refused', reason: 'no' }))).status).toBe(
    201,
  );
});

test('a request is its own device’s, of this organisation and a group of it', async () => {
  clock.advance(2_000);
  expect(refusal(await ask(dave, requestOf(carol)))).toEqual([403, 'wrong-author']);
  const [otherOrg, otherGroup] = [orgId(random(32)), groupId(random(32))];
  expect(refusal(await ask(dave, requestOf(dave, { org: otherOrg })))).toEqual([409, 'wrong-group']);
  expect(refusal(await ask(dave, requestOf(dave, { group: otherGroup })))).toEqual([409, 'wrong-group']);
  expect(refusal(await ask(dave, random(40)))).toEqual([400, 'malformed']);
  expect(refusal(await ask(dave, random(LIMITS.accessRequestBytes + 1)))).toEqual([400, 'malformed']);
  const altered = requestOf(dave).map((byte, i) => (i === 120 ? byte ^ 1 : byte));
  expect(refusal(await ask(dave, altered))).toEqual([403, 'wrong-author']);
});

test('a newer request takes the place of the one before, not at once, and with none of its answers', async () => {
  clock.advance(2_000);
  const [first, second] = [requestOf(carol), requestOf(carol)];
  await ask(carol, first);
  await answer(alice, idOf(first), answerOf(alice, first));
  expect(refusal(await ask(carol, second))).toEqual([429, 'rate-limited']);
  clock.advance(1_001);
  expect((await ask(carol, second)).status).toBe(201);
  expect(await answersTo(carol, idOf(second))).toEqual([]);
  const ids = await listed(bob);
  expect(ids).toContain(idOf(second));
  expect(ids).not.toContain(idOf(first));
});

test('a device asks so often and no more, whatever it takes back; nobody is told of what is refused', async () => {
  clock.advance(DAY_MS);
  const line = await greet(relay, await tokenOf(relay, org, alice));
  const outcomes: unknown[] = [];
  for (let i = 0; i < DEFAULT_LIMITS.accessBurst + 2; i += 1) {
    const wire = requestOf(dave);
    const asked = await ask(dave, wire);
    outcomes.push(asked.status === 201 ? 'kept' : asked.body.code);
    await as(dave, 'DELETE', `/${idOf(wire)}`);
  }
  const kept = Array.from({ length: DEFAULT_LIMITS.accessBurst }, () => 'kept');
  expect(outcomes).toEqual([...kept, 'rate-limited', 'rate-limited']);
  // Others ask as before, and so does the device once its time has come.
  line.send({ type: 'ping', nonce: 1 });
  await line.next('pong');
  expect(line.frames.filter(({ type }) => type === 'hint')).toHaveLength(DEFAULT_LIMITS.accessBurst);
  expect((await ask(carol, requestOf(carol))).status).toBe(201);
  clock.advance(60_000);
  expect((await ask(dave, requestOf(dave))).status).toBe(201);
  clock.advance(60_000);
  line.socket.close();
});

test('a request ends with the export period', async () => {
  clock.advance(2_000);
  const wire = requestOf(dave);
  await ask(dave, wire);
  clock.advance(30 * DAY_MS - 1);
  expect(await listed(alice)).toContain(idOf(wire));
  clock.advance(2);
  expect(await listed(alice)).not.toContain(idOf(wire));
  expect(refusal(await answer(alice, idOf(wire), answerOf(alice, wire)))).toEqual([404, 'unknown-request']);
});

test('admins are told of a request, and the device that asked of each answer', async () => {
  clock.advance(2_000);
  const lines = await Promise.all(
    [alice, bob, carol, dave].map(async (device) => greet(relay, await tokenOf(relay, org, device))),
  );
  const wire = requestOf(carol);
  await ask(carol, wire);
  await ask(carol, wire);
  await answer(alice, idOf(wire), answerOf(alice, wire));
  const heard = await Promise.all(
    lines.map(async (line) => {
      line.send({ type: 'ping', nonce: 1 });
      await line.next('pong');
      return line.frames.filter(({ type }) => type === 'hint');
    }),
  );
  expect(heard).toEqual([...Array.from({ length: 3 }, () => [{ type: 'hint', topic: 'access' }]), []]);
  for (const { socket } of lines) socket.close();
});

test('a former admin and a revoked device have no say', async () => {
  clock.advance(2_000);
  const wire = requestOf(carol);
  await ask(carol, wire);
  const token = await tokenOf(relay, org, alice);
  const demoted = createRoleChange({
    ...world.as(alice),
    member: (world.state.devices.get(bob.id) as Device).member,
    role: 'member',
  });
  await appendLog(relay, org, token, demoted);
  world.append(demoted);
  expect(refusal(await as(bob, 'GET'))).toEqual([403, 'not-a-member']);
  expect(refusal(await answer(bob, idOf(wire), answerOf(bob, wire)))).toEqual([403, 'not-a-member']);
  const carols = await tokenOf(relay, org, carol);
  const revoked = createRevokeDevice({ ...world.as(alice), device: carol.id });
  await appendLog(relay, org, token, revoked);
  world.append(revoked);
  const body = { request: toBase64Url(requestOf(carol)) };
  expect((await call(relay, 'POST', path, { token: carols, body })).status).toBe(401);
});

test('what is listed is what was signed', async () => {
  clock.advance(2_000);
  const wire = requestOf(dave);
  await ask(dave, wire);
  const { body } = await as(alice, 'GET');
  const { requests } = body as unknown as { requests: string[] };
  const found = requests
    .map((text) => fromBase64Url(text) as Uint8Array)
    .find((bytes) => idOf(bytes) === idOf(wire));
  const verifier = primitives.verifier(dave.signer.publicKey);
  expect(verifyAccessRequest(primitives, verifier, found as Uint8Array)).toMatchObject({ device: dave.id });
});
