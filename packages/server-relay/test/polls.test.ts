import { request, type ClientRequest } from 'node:http';
import { toBase64Url, toHex } from '@keytide/crypto-core';
import { createRevokeDevice } from '@keytide/key-directory';
import {
  decodeFrameList,
  decodeRelayFrame,
  encodeClientFrame,
  type ClientFrame,
  type RelayFrame,
} from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { RelayError } from '../src/errors.ts';
import type { EnteredDevice } from '../src/gate.ts';
import type { Session } from '../src/logins.ts';
import { createPeerLending } from '../src/lend-peer.ts';
import { createPollPresence } from '../src/poll-presence.ts';
import { createPolls } from '../src/polls.ts';
import { announceOf, appendOf, envelopeOf } from './group.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'polls', members: 5 });
const { org, clock } = world;
const group = world.state.everyone;
const [ada, bo, cy, dee, eve] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const ENTRIES = `/organisations/${org}/groups/${group}/entries`;
let relay: RelayUnderTest;
let founder: string;
beforeAll(async () => {
  relay = await relayUnderTest({
    clock,
    limits: { intakeBytes: 34_000_000, intakeBytesOfOrganisation: 17_000_000 },
  });
  founder = await settle(relay, world);
  const announced = await handIn(founder, await announceOf(world, ada, 1));
  expect(announced).toEqual({ type: 'appended', requestId: 1, seqs: [1] });
});
afterAll(() => relay.close());

interface Polled {
  readonly status: number;
  readonly code: string | null;
  readonly frames: readonly RelayFrame[];
}

async function timeline(): Promise<string> {
  const [welcome] = (await poll(founder, 'wait=0')).frames;
  return toBase64Url((welcome as Extract<RelayFrame, { type: 'welcome' }>).timeline);
}

async function poll(token: string, asked: string): Promise<Polled> {
  const query = /^after=[1-9]/.test(asked) ? `${asked}&timeline=${await timeline()}` : asked;
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${relay.url}/v1${ENTRIES}?${query}`, { headers });
  const { status } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (status === 200) return { status, code: null, frames: decodeFrameList(bytes) };
  return { status, code: (JSON.parse(Buffer.from(bytes).toString()) as { code: string }).code, frames: [] };
}

/** A poll that waits: it is given time to begin. */
async function waiting(
  token: string,
  seq: number,
): Promise<{ readonly answer: Promise<Polled>; isDone(): boolean }> {
  let isDone = false;
  const answer = poll(token, `after=${seq}&wait=25`).finally(() => {
    isDone = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(isDone).toBe(false);
  return { answer, isDone: () => isDone };
}

async function post(token: string, body: Uint8Array): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' };
  return fetch(`${relay.url}/v1${ENTRIES}`, {
    method: 'POST',
    headers,
    body: body as Uint8Array<ArrayBuffer>,
  });
}

async function handIn(token: string, frame: ClientFrame): Promise<RelayFrame> {
  const response = await post(token, encodeClientFrame(frame));
  return decodeRelayFrame(new Uint8Array(await response.arrayBuffer()));
}

const headSeq = async (): Promise<number> => {
  const { frames } = await poll(founder, 'after=0&wait=0');
  const last = frames.find(({ type }) => type === 'caught-up');
  return (last as Extract<RelayFrame, { type: 'caught-up' }>).headSeq;
};
const typesOf = ({ frames }: Polled): string[] => frames.map(({ type }) => type);

test('a poll is answered as a subscription is: at once with what there is, later with what comes', async () => {
  const token = await tokenOf(relay, org, bo);
  const before = await poll(token, 'after=0&wait=25');
  expect(typesOf(before)).toEqual(['welcome', 'head', 'entries', 'caught-up']);
  const seq = await headSeq();
  expect(typesOf(await poll(token, `after=${seq}&wait=0`))).toEqual(['welcome', 'caught-up']);
  expect(typesOf(await poll(token, 'wait=25'))).toEqual(['welcome']);
  const { answer } = await waiting(token, seq);
  const frame = appendOf(world, 7, 2);
  expect(await handIn(founder, frame)).toEqual({ type: 'appended', requestId: 7, seqs: [seq + 1, seq + 2] });
  const entries = frame.items.map(({ envelope }) => ({ kind: 'envelope', bytes: envelope }));
  expect((await answer).frames.slice(1)).toEqual([
    { type: 'head', group, headSeq: seq + 2 },
    { type: 'entries', group, firstSeq: seq + 1, entries },
    { type: 'caught-up', group, headSeq: seq + 2 },
  ]);
});

test('what is handed in is judged as on a socket: once for the same id, and refused for the same reasons', async () => {
  const token = await tokenOf(relay, org, bo);
  const frame = appendOf(world, 8);
  expect(await handIn(token, frame)).toEqual(await handIn(token, frame));
  const messageId = frame.items[0]?.messageId as Uint8Array;
  const reused = { ...frame, items: [{ messageId, envelope: envelopeOf(world) }] };
  expect(await handIn(token, reused)).toMatchObject({
    type: 'refused',
    requestId: 8,
    code: 'message-id-reused',
  });
  const future = { ...frame, items: [{ messageId: world.random(16), envelope: envelopeOf(world, 300, 9) }] };
  expect(await handIn(token, future)).toMatchObject({ code: 'unknown-epoch' });
  const others: [Uint8Array, number, string][] = [
    [encodeClientFrame({ type: 'ping', nonce: 1 }), 400, 'malformed'],
    [encodeClientFrame({ type: 'hello', token }), 400, 'malformed'],
    [Uint8Array.of(0xff), 400, 'malformed'],
    [encodeClientFrame({ ...frame, group: toHex(world.random(32)) as typeof group }), 409, 'wrong-group'],
    [encodeClientFrame(appendOf(world, 1, 5, 250_000)), 413, 'too-large'],
  ];
  for (const [bytes, status, code] of others) {
    const response = await post(token, bytes);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  }
});

test('hints and entries of the membership log end a wait; a second poll ends that of the first', async () => {
  const token = await tokenOf(relay, org, bo);
  const seq = await headSeq();
  const startMs = performance.now();
  const first = await waiting(token, seq);
  const second = await waiting(token, seq);
  expect(typesOf(await first.answer)).toEqual(['welcome', 'caught-up']);
  // Its own wait would have been 25 seconds.
  expect(performance.now() - startMs).toBeLessThan(10_000);
  const path = `/organisations/${org}/data/members/notes/a`;
  await call(relay, 'PUT', path, { token: founder, body: { body: 'oA' } });
  expect((await second.answer).frames.at(-1)).toEqual({ type: 'hint', topic: 'data' });
  const third = await waiting(token, seq);
  const wire = createRevokeDevice({ ...world.as(ada), device: eve.id });
  expect((await appendLog(relay, org, founder, wire)).status).toBe(201);
  world.append(wire);
  expect((await third.answer).frames[0]).toMatchObject({ type: 'welcome', directorySize: world.state.size });
});

test('whose session ends while they wait, or who loses their place, is answered with nothing', async () => {
  const seq = await headSeq();
  const token = await tokenOf(relay, org, cy);
  const out = await waiting(token, seq);
  await call(relay, 'POST', `/organisations/${org}/sessions/end`, { token, body: { which: 'this' } });
  expect(await out.answer).toEqual({ status: 401, code: 'session-ended', frames: [] });

  const revoked = await waiting(await tokenOf(relay, org, dee), seq);
  const wire = createRevokeDevice({ ...world.as(ada), device: dee.id });
  expect((await appendLog(relay, org, founder, wire)).status).toBe(201);
  world.append(wire);
  expect(await revoked.answer).toMatchObject({ status: 403, code: 'not-a-member' });

  const expired = await waiting(await tokenOf(relay, org, cy), seq);
  clock.advance(900_000);
  await handIn(await tokenOf(relay, org, ada), appendOf(world, 9));
  expect(await expired.answer).toEqual({ status: 401, code: 'session-ended', frames: [] });
});

test('another group, and a longer wait, are refused', async () => {
  const token = await tokenOf(relay, org, bo);
  const path = `/organisations/${org}/groups/${'0'.repeat(64)}/entries?after=0&wait=0`;
  expect((await call(relay, 'GET', path, { token })).body).toMatchObject({ code: 'unknown-group' });
  expect(await poll(token, 'after=0&wait=26')).toMatchObject({ status: 400, code: 'malformed' });
});

/** bo, as the gate lets it in. */
function enteredBo(): EnteredDevice {
  const session = { org, id: new Uint8Array(32), expiresMs: Infinity } as unknown as Session;
  return { org, device: world.state.devices.get(bo.id), state: world.state, session } as EnteredDevice;
}

test('a session that was ended somewhere else is answered with nothing, whatever this relay knows', async () => {
  const caller = enteredBo();
  const { session } = caller;
  let live = [session.id];
  const polls = createPolls({
    feeds: { follow: () => () => undefined, saw: () => undefined },
    watch: { follow: () => () => undefined },
    sessions: { readLiveSessions: async () => ({ generation: 1, ids: live }) },
    deviceOf: async () => caller,
    readPage: async () => ({ entries: [], headSeq: 0, epoch: 0 }),
    clock,
    presence: { came: () => undefined, left: () => undefined },
    timeline: new Uint8Array(16),
    most: 1,
  });
  const asked = { group, afterSeq: 0, waitMs: 0 };
  expect(await polls.poll(caller, asked)).toHaveLength(2);
  live = [];
  await expect(polls.poll(caller, asked)).rejects.toMatchObject({ code: 'session-ended' });
  live = [session.id];
  polls.close();
  await expect(polls.poll(caller, asked)).rejects.toMatchObject({ code: 'unavailable' });
});

test('whoever polls counts as connected, and is lost a moment after the last poll', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const heard: unknown[] = [];
    const presence = createPollPresence({
      came: (...who) => void heard.push(['came', ...who]),
      left: (...who) => void heard.push(['left', ...who]),
    });
    const said = () => heard.splice(0);
    const [first, second] = [presence.come(org, bo.id), presence.come(org, bo.id)];
    expect(said()).toEqual([['came', org, bo.id]]);
    first();
    vi.advanceTimersByTime(9_000);
    second();
    vi.advanceTimersByTime(4_999);
    const third = presence.come(org, bo.id);
    vi.advanceTimersByTime(9_000);
    expect(said()).toEqual([]);
    third();
    vi.advanceTimersByTime(5_000);
    expect(said()).toEqual([['left', org, bo.id, false]]);
    // At the end nobody is waited for.
    const [idle, busy] = [presence.come(org, bo.id), presence.come(org, cy.id)];
    idle();
    said();
    presence.close();
    expect(said()).toEqual([['left', org, bo.id, false]]);
    busy();
    expect(said()).toEqual([['left', org, cy.id, false]]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('a poll is heard of by whoever tells devices that are away', async () => {
  const heard: string[] = [];
  const caller = enteredBo();
  const polls = createPolls({
    feeds: { follow: () => () => undefined, saw: () => undefined },
    watch: { follow: () => () => undefined },
    sessions: { readLiveSessions: async () => ({ generation: 1, ids: [caller.session.id] }) },
    deviceOf: async () => caller,
    readPage: async () => ({ entries: [], headSeq: 0, epoch: 0 }),
    clock,
    presence: { came: () => void heard.push('came'), left: () => void heard.push('left') },
    timeline: new Uint8Array(16),
    most: 1,
  });
  await polls.poll(caller, { group, afterSeq: 0, waitMs: 0 });
  expect(heard).toEqual(['came']);
  polls.close();
  expect(heard).toEqual(['came', 'left']);
});

test('a relay that may be behind others looks before it takes a frame in', async () => {
  let isCurrent = true;
  let pins = 0;
  const lend = createPeerLending({
    watch: {
      isCurrent: () => isCurrent,
      look: () => Promise.reject(new RelayError('database-failed', 'does not answer')),
      check: () => Promise.resolve(),
    },
    organisations: {
      async pin() {
        pins += 1;
        return null;
      },
    },
    shared: {} as Parameters<typeof createPeerLending>[0]['shared'],
  });
  const caller = { org, device: { id: bo.id } } as EnteredDevice;
  const lent = () => lend(caller, {} as never, async () => undefined);
  await expect(lent()).rejects.toMatchObject({ code: 'session-ended' });
  isCurrent = false;
  await expect(lent()).rejects.toMatchObject({ code: 'database-failed' });
  expect(pins).toBe(1);
});

test('no answer is kept by caches, polls least of all', async () => {
  const token = await tokenOf(relay, org, bo);
  const headers = { authorization: `Bearer ${token}` };
  for (const path of [
    `${ENTRIES}?after=0&wait=0`,
    `/organisations/${org}/log?from=0`,
    '/health',
    '/nothing',
  ]) {
    const response = await fetch(`${relay.url}/v1${path}`, { headers });
    await response.arrayBuffer();
    expect(response.headers.get('cache-control'), path).toBe('no-store');
  }
});

test('large frames that are handed in are counted before they are read, and let go of; one organisation fills its share', async () => {
  const [other, third] = ['another', 'a third'].map((seed) => seededWorld({ seed, members: 1 })) as [
    SeededWorld,
    SeededWorld,
  ];
  for (const one of [other, third]) await settle(relay, one);
  const held: ClientRequest[] = [];
  const asked = async (of: SeededWorld) => ({
    path: `${relay.url}/v1/organisations/${of.org}/groups/${of.state.everyone}/entries`,
    headers: {
      authorization: `Bearer ${await tokenOf(relay, of.org, of.members[0].devices[0])}`,
      'content-type': 'application/octet-stream',
    },
  });
  /** Begins to hand in as much as a frame may have, and stays at that. */
  async function hold(of: SeededWorld): Promise<void> {
    const { path, headers } = await asked(of);
    const slow = request(path, { method: 'POST', headers: { ...headers, 'content-length': '16777216' } });
    slow.on('error', () => undefined);
    held.push(slow);
    await new Promise<void>((resolve) => void slow.write(new Uint8Array(65_536), () => resolve()));
    // It is given time to begin.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  async function statusIn(of: SeededWorld, sizeBytes = 1_100_000): Promise<number> {
    const { path, headers } = await asked(of);
    const body = new Uint8Array(sizeBytes).fill(0xff);
    return (await fetch(path, { method: 'POST', headers, body })).status;
  }
  await hold(world);
  expect([await statusIn(world), await statusIn(world, 1_000), await statusIn(other)]).toEqual([
    503, 400, 413,
  ]);
  await hold(other);
  expect(await statusIn(third)).toBe(503);
  for (const slow of held) slow.destroy();
  for (const one of [world, third]) await expect.poll(() => statusIn(one)).toBe(413);
});
