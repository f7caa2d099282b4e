import { orgId, toBase64Url } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';
import { seededDevice, seededWorld, type SeededDevice } from '@keytide/testkit';
import { createRevokeDevice } from '@keytide/key-directory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet, seqsOf } from './line.ts';
import {
  appendLog,
  asDevice,
  call,
  freshChallenge,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const world = seededWorld({ seed: 'sessions', members: 3 });
const { org, clock } = world;
const [founder, second, third] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
});
afterAll(() => relay.close());

const refused = { status: 401, code: 'login-refused' };
const outcome = ({ status, body }: Answer) => ({ status, code: body.code });

test('a device that meets the challenge gets a session', async () => {
  const token = await tokenOf(relay, org, second);
  const page = await call(relay, 'GET', `/organisations/${org}/log?from=3`, { token });
  expect(page).toEqual({
    status: 200,
    body: { entries: world.wires.slice(3).map(toBase64Url), size: world.wires.length },
  });
});

test('health tells the name that logins are bound to, and the key of the relay', async () => {
  const { body } = await call(relay, 'GET', '/health');
  const key = expect.stringMatching(/^[\w-]{43}$/);
  expect(body).toEqual({ status: 'ok', version: expect.any(String), name: relay.url, key });
});

test('a signature by another key is refused', async () => {
  const login = { subject: asDevice(second).subject, signer: third.signer };
  expect(outcome(await tryLogin(relay, org, login))).toEqual(refused);
});

test('a challenge works once, also when it was answered wrongly', async () => {
  const { subject } = asDevice(second);
  const challenge = await freshChallenge(relay, org, subject);
  expect((await tryLogin(relay, org, asDevice(second), { challenge })).status).toBe(200);
  expect(outcome(await tryLogin(relay, org, asDevice(second), { challenge }))).toEqual(refused);

  const spoiled = await freshChallenge(relay, org, subject);
  await tryLogin(relay, org, { subject, signer: third.signer }, { challenge: spoiled });
  expect(outcome(await tryLogin(relay, org, asDevice(second), { challenge: spoiled }))).toEqual(refused);
});

test('a challenge that the relay never gave is refused', async () => {
  const challenge = world.random(32);
  expect(outcome(await tryLogin(relay, org, asDevice(second), { challenge }))).toEqual(refused);
});

test("another subject's challenge is refused", async () => {
  const challenge = await freshChallenge(relay, org, asDevice(third).subject);
  expect(outcome(await tryLogin(relay, org, asDevice(second), { challenge }))).toEqual(refused);
});

test('a signature for another relay, organisation or subject is refused', async () => {
  for (const relayName of ['http://relay.example.org', `${relay.name}/`, 'http://127.0.0.1:1'])
    expect(outcome(await tryLogin(relay, org, asDevice(second), { relayName }))).toEqual(refused);
  const signedSubject: Subject = { kind: 'invite', id: second.id };
  expect(outcome(await tryLogin(relay, org, asDevice(second), { signedSubject }))).toEqual(refused);
  const other = orgId(world.random(32));
  expect(outcome(await tryLogin(relay, other, asDevice(second)))).toEqual(refused);
});

test('a challenge lasts a minute', async () => {
  const challenge = await freshChallenge(relay, org, asDevice(second).subject);
  clock.advance(60_000);
  expect(outcome(await tryLogin(relay, org, asDevice(second), { challenge }))).toEqual(refused);
});

test('who does not exist is answered like everybody else', async () => {
  const stranger = seededDevice(world.primitives, world.random, clock.now());
  const nowhere = orgId(world.random(32));
  const shape = { challenge: expect.stringMatching(/^[\w-]{43}$/), expiresAtMs: clock.now() + 60_000 };
  for (const [place, device] of [
    [org, second],
    [org, stranger],
    [nowhere, stranger],
  ] as const) {
    const { subject } = asDevice(device);
    const answer = await call(relay, 'POST', `/organisations/${place}/challenges`, { body: { subject } });
    expect(answer).toEqual({ status: 200, body: shape });
  }
  const known = await tryLogin(relay, org, { subject: asDevice(second).subject, signer: stranger.signer });
  const unknown = await tryLogin(relay, org, asDevice(stranger));
  const unknownOrg = await tryLogin(relay, nowhere, asDevice(stranger));
  expect(unknown).toEqual(known);
  expect(unknownOrg).toEqual(known);
});

test('an access token lasts fifteen minutes, also on an open socket', async () => {
  const token = await tokenOf(relay, org, second);
  const line = await greet(relay, token);
  clock.advance(899_999);
  expect((await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token })).status).toBe(200);
  line.send({ type: 'ping', nonce: 1 });
  await line.next('pong');
  clock.advance(1);
  const late = await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token });
  expect(outcome(late)).toEqual({ status: 401, code: 'session-ended' });
  line.send({ type: 'ping', nonce: 2 });
  expect(await line.next('refused')).toMatchObject({ requestId: null, code: 'session-ended' });
  expect(await line.ended).toBe(1008);
});

test('a session that has run out neither writes nor listens', async () => {
  const group = world.state.everyone;
  const token = await tokenOf(relay, org, second);
  const [writer, listener] = [await greet(relay, token), await greet(relay, token)];
  writer.send(await announceOf(world, second, 1));
  await writer.next('appended');
  listener.send({ type: 'subscribe', group, afterSeq: 0 });
  await listener.next('caught-up');
  clock.advance(900_000);
  writer.send(appendOf(world, 2));
  expect(await writer.next('refused')).toMatchObject({ requestId: null, code: 'session-ended' });
  await writer.ended;

  const fresh = await greet(relay, await tokenOf(relay, org, second));
  fresh.send(appendOf(world, 3));
  expect((await fresh.next('appended')).seqs).toEqual([2]);
  expect(await listener.next('refused')).toMatchObject({ requestId: null, code: 'session-ended' });
  expect(seqsOf(listener)).toEqual([1]);
  fresh.socket.close();
});

test('a token is worth nothing altered, elsewhere, or as text of something else', async () => {
  const token = await tokenOf(relay, org, second);
  const elsewhere = orgId(world.random(32));
  const altered = token.slice(0, -2) + (token.endsWith('AA') ? 'BA' : 'AA');
  const ended = { status: 401, code: 'session-ended' };
  expect(outcome(await call(relay, 'GET', `/organisations/${elsewhere}/log?from=0`, { token }))).toEqual(
    ended,
  );
  for (const bad of [altered, 'x', `${token}AA`, ''])
    expect(outcome(await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token: bad }))).toEqual(
      ended,
    );
  expect(outcome(await call(relay, 'GET', `/organisations/${org}/log?from=0`))).toEqual(ended);
});

test('a revoked device is cut off before the revocation is acknowledged', async () => {
  const token = await tokenOf(relay, org, third);
  const line = await greet(relay, token);
  line.send({ type: 'subscribe', group: world.state.everyone, afterSeq: 0 });
  await line.next('caught-up');
  const founderToken = await tokenOf(relay, org, founder);
  const wire = createRevokeDevice({ ...world.as(founder), device: third.id });
  let ended = false;
  void line.ended.then(() => {
    ended = true;
  });
  expect((await appendLog(relay, org, founderToken, wire)).status).toBe(201);
  world.append(wire);
  expect(await line.next('refused')).toMatchObject({ requestId: null, code: 'not-a-member' });
  expect(await line.ended).toBe(1008);
  expect(ended).toBe(true);
  const answer = await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token });
  expect(outcome(answer)).toEqual({ status: 401, code: 'session-ended' });
  expect(outcome(await tryLogin(relay, org, asDevice(third)))).toEqual(refused);
});

test('what the relay logs holds no token, id, handle or address', () => {
  const text = JSON.stringify(relay.events);
  for (const secret of [org, founder.id, second.id, third.id, 'member-', world.state.everyone])
    expect(text).not.toContain(secret);
  expect(text).toContain('"event":"login"');
  expect(text.replaceAll(relay.url, '')).not.toContain('127.0.0.1');
});
