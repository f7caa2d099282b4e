import { get, request } from 'node:http';
import { once } from 'node:events';
import { toBase64Url } from '@keytide/crypto-core';
import { createExportStatement } from '@keytide/key-directory';
import { seededRandom, seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { localKeyWrapper, type KeyWrapper } from '../src/key-wrapper.ts';
import { announceOf, appendOf } from './group.ts';
import { dial, greet, type Line } from './line.ts';
import { call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'drain', members: 1 });
const { org, clock } = world;
const [device] = world.members[0].devices;

async function drained(work: (relay: RelayUnderTest) => Promise<void>): Promise<void> {
  const relay = await relayUnderTest({ clock });
  try {
    await settle(relay, world);
    await work(relay);
  } finally {
    await relay.close();
  }
}

const closeOf = (line: Line): Promise<{ status: number; reason: string; atMs: number }> =>
  new Promise((resolve) =>
    line.socket.on('close', (status, reason) =>
      resolve({ status, reason: reason.toString(), atMs: performance.now() }),
    ),
  );

test('sockets are let go one after the other with a hint to resume; new ones are refused, requests answered', () =>
  drained(async (relay) => {
    const token = await tokenOf(relay, org, device);
    const lines: Line[] = [];
    for (let i = 0; i < 4; i += 1) lines.push(await greet(relay, token));
    const ends = lines.map(closeOf);
    expect(await relay.isReady()).toBe(true);
    const startMs = performance.now();
    const draining = relay.drain(800);
    expect(await relay.isReady()).toBe(false);
    expect((await ends[0])?.reason).toBe('resume');
    await expect(dial(relay)).rejects.toThrow('503');
    const [response] = await once(get(`${relay.url}/v1/health`), 'response');
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe('close');
    response.resume();
    await draining;
    const closes = await Promise.all(ends);
    expect(closes.map(({ status }) => status)).toEqual([1001, 1001, 1001, 1001]);
    // A quarter of them goes at once, and between the others is a pause at least.
    expect(Math.max(...closes.map(({ atMs }) => atMs)) - startMs).toBeGreaterThan(140);
    await expect(fetch(`${relay.url}/v1/health`)).rejects.toBeInstanceOf(TypeError);
  }));

test('what was read of a socket before it is let go is answered', () =>
  drained(async (relay) => {
    const line = await greet(relay, await tokenOf(relay, org, device));
    line.send(await announceOf(world, device, 0));
    await line.next('appended');
    for (let i = 1; i <= 60; i += 1) line.send(appendOf(world, i, 20, 1_000));
    await line.next('appended');
    await relay.drain(0);
    await line.ended;
    const answered = line.frames.flatMap((frame) => (frame.type === 'appended' ? frame.seqs : [])).length;
    const [, stored] = /outcome="stored"\} (\d+)/.exec(await relay.metrics()) ?? [];
    expect(answered).toBe(Number(stored));
    // More than the first twenty: otherwise nothing was under way.
    expect(answered).toBeGreaterThan(20);
  }));

test('a request that is under way is answered before the relay closes', () =>
  drained(async (relay) => {
    const post = request(`${relay.url}/v1/organisations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' },
    });
    post.write('{');
    // It has read the head.
    await once(post, 'continue');
    let isClosed = false;
    const draining = relay.drain(0).then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isClosed).toBe(false);
    post.end('}');
    const [response] = await once(post, 'response');
    expect(response.statusCode).toBe(400);
    response.resume();
    await draining;
  }));

test('a relay that is closed while it forgets a day serves nobody until that is done', async () => {
  const random = seededRandom('closed while it forgets');
  const real = localKeyWrapper(world.primitives, random, random(32));
  let release: (() => void) | null = null;
  let isHeld = false;
  const keyWrapper: KeyWrapper = {
    ...real,
    async wrap(...of) {
      if (isHeld) await new Promise<void>((resolve) => (release = resolve));
      return await real.wrap(...of);
    },
  };
  const relay = await relayUnderTest({ clock, keyWrapper });
  await settle(relay, world);
  const token = await tokenOf(relay, org, device);
  const line = await greet(relay, token);
  line.send(await announceOf(world, device, 0));
  await line.next('appended');
  const said = { org, group: world.state.everyone, throughSeq: 1, root: random(32), device: device.id };
  const wire = createExportStatement(world.primitives, device.signer, { ...said, exportedMs: clock.now() });
  const body = { statement: toBase64Url(wire) };
  expect((await call(relay, 'POST', `/organisations/${org}/exports`, { token, body })).status).toBe(201);
  clock.advance(60 * 86_400_000);
  // The statement before the floor is sealed again, under a key of today that is not there yet.
  isHeld = true;
  const forgetting = relay.forget();
  await expect.poll(() => release !== null).toBe(true);
  let isClosed = false;
  const closing = relay.close().then(() => (isClosed = true));
  expect((await closeOf(line)).status).toBe(1001);
  await expect.poll(() => fetch(relay.url).catch(() => 'gone')).toBe('gone');
  expect(isClosed).toBe(false);
  (release as (() => void) | null)?.();
  expect(await forgetting).toBe(true);
  await closing;
  expect(relay.events).toContainEqual(expect.objectContaining({ event: 'forgotten', lastSeq: 1 }));
});
