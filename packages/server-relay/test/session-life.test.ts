import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import type { SessionsToEnd } from '@keytide/server-relay';
import { seededWorld, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet, seqsOf, type Line } from './line.ts';
import {
  asDevice,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const DAY_MS = 86_400_000;
const world = seededWorld({ seed: 'session life', members: 3, devicesPerMember: 2 });
const other = seededWorld({ seed: 'another organisation', members: 1 });
const { org, clock } = world;
const [admin, [bo, boPhone], [cy]] = world.members.map(({ devices }) => devices) as unknown as [
  [SeededDevice, SeededDevice],
  [SeededDevice, SeededDevice],
  [SeededDevice, SeededDevice],
];
const path = `/organisations/${org}`;
const ended = { status: 401, code: 'session-ended' };
const noRight = { status: 403, code: 'not-a-member' };
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
  await settle(relay, other);
  const first = await greet(relay, await tokenOf(relay, org, admin[0]));
  first.send(await announceOf(world, admin[0], 1));
  await first.next('appended');
  first.socket.close();
});
afterAll(() => relay.close());

const outcome = ({ status, body }: Answer) => ({ status, code: body.code });
const login = async (device: SeededDevice, at: SeededWorld = world) =>
  (await tryLogin(relay, at.org, asDevice(device))).body;
const refresh = (refreshToken: string, at = org): Promise<Answer> =>
  call(relay, 'POST', `/organisations/${at}/sessions/refresh`, { body: { refreshToken } });
const end = (token: string, body: unknown): Promise<Answer> =>
  call(relay, 'POST', `${path}/sessions/end`, { token, body });
const read = async (token: string, at = org) =>
  (await call(relay, 'GET', `/organisations/${at}/log?from=0`, { token })).status;

/** A socket that has the whole log. */
async function listen(token: string): Promise<Line> {
  const line = await greet(relay, token);
  line.send({ type: 'subscribe', group: world.state.everyone, afterSeq: 0 });
  await line.next('caught-up');
  return line;
}

/** What the next message that somebody writes has for a number, and who heard of it. */
async function heardBy(...lines: Line[]): Promise<boolean[]> {
  const writer = await listen(await tokenOf(relay, org, admin[0]));
  writer.send(appendOf(world, 7));
  const [seq] = (await writer.next('appended')).seqs;
  await writer.next('entries');
  for (const line of lines.filter(({ socket }) => socket.readyState === 1)) {
    line.send({ type: 'ping', nonce: 9 });
    await line.next('pong').catch(() => null);
  }
  writer.socket.close();
  return lines.map((line) => seqsOf(line).includes(seq as number));
}

test('a refresh token gives another pair, and the tokens of before are over', async () => {
  const first = await login(bo);
  expect(first.expiresAtMs - clock.now()).toBe(900_000);
  expect(first.endsAtMs - clock.now()).toBe(30 * DAY_MS);
  clock.advance(DAY_MS);
  expect(await read(first.token)).toBe(401);
  const second = (await refresh(first.refreshToken)).body;
  expect(second.expiresAtMs - clock.now()).toBe(900_000);
  expect(second.endsAtMs).toBe(first.endsAtMs);
  expect(await read(second.token)).toBe(200);
  const third = (await refresh(second.refreshToken)).body;
  expect([await read(second.token), await read(third.token)]).toEqual([401, 200]);
});

test('a session ends thirty days after its login, however often it is refreshed', async () => {
  let tokens = await login(bo);
  clock.advance(15 * DAY_MS);
  tokens = (await refresh(tokens.refreshToken)).body;
  clock.advance(15 * DAY_MS - 60_000);
  tokens = (await refresh(tokens.refreshToken)).body;
  expect(tokens.expiresAtMs).toBe(tokens.endsAtMs);
  clock.advance(59_999);
  expect(await read(tokens.token)).toBe(200);
  clock.advance(1);
  expect(await read(tokens.token)).toBe(401);
  expect(outcome(await refresh(tokens.refreshToken))).toEqual(ended);
});

test('a stolen refresh token that is used ends the session as soon as its owner uses it too', async () => {
  const owned = await login(bo);
  const elsewhere = await login(bo);
  const stolen = (await refresh(owned.refreshToken)).body;
  const thief = await listen(stolen.token);
  expect(outcome(await refresh(owned.refreshToken))).toEqual(ended);
  expect(await thief.next('refused')).toMatchObject({ code: 'session-ended' });
  expect(await read(stolen.token)).toBe(401);
  expect(outcome(await refresh(stolen.refreshToken))).toEqual(ended);
  expect(relay.events.filter(({ event }) => event === 'refresh-reused')).toEqual([
    { event: 'refresh-reused', org: org.slice(0, 8) },
  ]);
  // Another session of the device goes on, and it logs in by its key as ever.
  expect(await read(elsewhere.token)).toBe(200);
  expect(await read((await login(bo)).token)).toBe(200);
});

test('a refresh token that was used before the thief comes is worth nothing to the thief', async () => {
  const first = await login(bo);
  const second = (await refresh(first.refreshToken)).body;
  expect(outcome(await refresh(first.refreshToken))).toEqual(ended);
  expect([await read(second.token), outcome(await refresh(second.refreshToken))]).toEqual([401, ended]);
});

test('of two uses at once one is given a pair, and the session ends all the same', async () => {
  const { refreshToken } = await login(bo);
  const answers = await Promise.all([refresh(refreshToken), refresh(refreshToken)]);
  const [given, ...more] = answers.filter(({ status }) => status === 200);
  expect([more.length, await read((given as Answer).body.token)]).toEqual([0, 401]);
});

test('whatever is wrong with a refresh token, the answer is the same', async () => {
  const tokens = await login(bo);
  const elsewhere = (await login(other.members[0].devices[0], other)) as typeof tokens;
  const bytes = fromBase64Url(tokens.refreshToken) as Uint8Array;
  const ofOther = fromBase64Url(elsewhere.refreshToken) as Uint8Array;
  const grafted = Uint8Array.from([...bytes.slice(0, 32), ...ofOther.slice(32)]);
  const unknown = Uint8Array.from([...bytes.slice(0, 32), ...world.random(64)]);
  const bad = [
    elsewhere.refreshToken,
    toBase64Url(grafted),
    toBase64Url(unknown),
    tokens.token,
    `${tokens.refreshToken}AAAA`,
    'x',
  ];
  const answers = await Promise.all(bad.map((text) => refresh(text)));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  expect(outcome(answers[0] as Answer)).toEqual(ended);
  expect(outcome(await refresh(tokens.refreshToken, other.org))).toEqual(ended);
  // None of that has harmed anybody's session.
  expect([await read(tokens.token), await read(elsewhere.token, other.org)]).toEqual([200, 200]);
  expect((await refresh(tokens.refreshToken)).status).toBe(200);
  expect(outcome(await refresh(''))).toEqual({ status: 400, code: 'malformed' });
});

test('a refresh token opens nothing by itself', async () => {
  const { refreshToken } = await login(bo);
  expect(await read(refreshToken)).toBe(401);
});

test('a guess at the secret of a refresh token ends the session: there is no second one', async () => {
  const tokens = await login(bo);
  const guess = (fromBase64Url(tokens.refreshToken) as Uint8Array).slice();
  guess[95] = (guess[95] as number) ^ 1;
  expect(outcome(await refresh(toBase64Url(guess)))).toEqual(ended);
  expect(outcome(await refresh(tokens.refreshToken))).toEqual(ended);
});

test('who logs out hears nothing more, from the next byte on', async () => {
  const { token, refreshToken } = await login(bo);
  const [line, beside] = [await listen(token), await listen((await login(boPhone)).token)];
  expect((await end(token, { which: 'this' })).status).toBe(200);
  expect(await heardBy(line, beside)).toEqual([false, true]);
  expect(await line.next('refused')).toMatchObject({ code: 'session-ended' });
  expect(await read(token)).toBe(401);
  expect(outcome(await refresh(refreshToken))).toEqual(ended);
  expect(outcome(await end(token, { which: 'this' }))).toEqual(ended);
  beside.socket.close();
});

test('who logs out the others keeps this session alone', async () => {
  const [here, same, phone, foreign] = [
    await login(bo),
    await login(bo),
    await login(boPhone),
    await login(cy),
  ];
  const lines = await Promise.all([here, same, phone, foreign].map(({ token }) => listen(token)));
  expect((await end(here.token, { which: 'others' })).status).toBe(200);
  expect(await heardBy(...lines)).toEqual([true, false, false, true]);
  expect(await Promise.all([here, same, phone, foreign].map(({ token }) => read(token)))).toEqual([
    200, 401, 401, 200,
  ]);
  for (const { socket } of lines) socket.close();
});

test('a device is logged out by its own member and by an admin, by nobody else', async () => {
  const [mine, phone, foreign] = [await login(bo), await login(boPhone), await login(cy)];
  const named = ({ id }: SeededDevice) => ({ which: 'device', device: id });
  expect(outcome(await end(foreign.token, named(boPhone)))).toEqual(noRight);
  // Whether a device exists is not told to who may not end it.
  const stranger = await end(foreign.token, { which: 'device', device: 'ab'.repeat(32) });
  expect(stranger).toEqual(await end(foreign.token, named(boPhone)));
  expect(await read(phone.token)).toBe(200);
  expect((await end(mine.token, named(boPhone))).status).toBe(200);
  expect([await read(phone.token), await read(mine.token)]).toEqual([401, 200]);
  const boss = await login(admin[0]);
  expect((await end(boss.token, named(cy))).status).toBe(200);
  expect([await read(foreign.token), await read(mine.token)]).toEqual([401, 200]);
  // It is a device still: only its sessions are over.
  expect(await read((await login(cy)).token)).toBe(200);
  const away = (await login(other.members[0].devices[0], other)).token;
  expect(outcome(await end(away, named(cy)))).toEqual(ended);
  expect(outcome(await end(boss.token, { which: 'all' }))).toEqual({ status: 400, code: 'malformed' });
});

test('a socket lives on with the next access token of its device, and of no other', async () => {
  const tokens = await login(bo);
  const line = await listen(tokens.token);
  clock.advance(800_000);
  const next = (await refresh(tokens.refreshToken)).body;
  line.send({ type: 'hello', token: next.token });
  await line.next('welcome');
  clock.advance(899_999);
  expect(await heardBy(line)).toEqual([true]);
  // The session of before is over for it, and the one after it counts.
  const after = await login(bo);
  line.send({ type: 'hello', token: after.token });
  await line.next('welcome');
  await end(next.token, { which: 'this' });
  expect(await heardBy(line)).toEqual([true]);
  await end(after.token, { which: 'this' });
  expect(await heardBy(line)).toEqual([false]);

  for (const wrong of [(await login(boPhone)).token, next.token, 'x']) {
    const another = await listen((await login(bo)).token);
    another.send({ type: 'hello', token: wrong });
    expect(await another.next('refused')).toMatchObject({ requestId: null, code: 'session-ended' });
    await another.ended;
  }
});

test('an access token that was not brought in time ends the socket', async () => {
  const line = await listen((await login(bo)).token);
  clock.advance(900_000);
  expect(await heardBy(line)).toEqual([false]);
  await line.ended;
});

test('the kill switch puts a device, an organisation or all back to signing a challenge', async () => {
  const founder = other.members[0].devices[0];
  const all = async () => {
    const tokens = [await login(bo), await login(cy), await login(founder, other)] as const;
    return { tokens, line: await listen(tokens[0].token) };
  };
  const kills: readonly [SessionsToEnd, readonly number[]][] = [
    [{ of: 'devices', org, devices: [bo.id], but: null }, [401, 200, 200]],
    [{ of: 'organisation', org }, [401, 401, 200]],
    [{ of: 'relay' }, [401, 401, 401]],
  ];
  for (const [which, statuses] of kills) {
    const { tokens, line } = await all();
    await relay.endSessions(which);
    expect(await heardBy(line)).toEqual([false]);
    expect(await line.next('refused')).toMatchObject({ code: 'session-ended' });
    const [first, second, third] = tokens;
    expect([await read(first.token), await read(second.token), await read(third.token, other.org)]).toEqual(
      statuses,
    );
    expect((await refresh(second.refreshToken)).status).toBe(statuses[1]);
    expect(await read((await login(bo)).token)).toBe(200);
  }
});

test('what the relay logs of all that holds no token and no id', () => {
  const text = JSON.stringify(relay.events);
  for (const secret of [org, bo.id, boPhone.id, cy.id]) expect(text).not.toContain(secret);
  expect(text).toContain('"event":"refresh-reused"');
  expect(text).toContain('"event":"sessions-ended"');
});

test('a device ends other sessions so often and no more, and its own at any time', async () => {
  clock.advance(DAY_MS);
  const { token } = await login(bo);
  const body = { which: 'device', device: boPhone.id };
  const codes: (string | undefined)[] = [];
  for (let i = 0; i < 22; i += 1) codes.push((await end(token, body)).body.code);
  expect(codes.slice(0, 20).every((code) => code === undefined)).toBe(true);
  expect(codes.slice(20)).toEqual(['rate-limited', 'rate-limited']);
  expect(outcome(await end(token, { which: 'others' }))).toEqual({ status: 429, code: 'rate-limited' });
  expect((await end((await login(cy)).token, { which: 'others' })).status).toBe(200);
  expect((await end(token, { which: 'this' })).status).toBe(200);
  expect(await read(token)).toBe(401);
});
