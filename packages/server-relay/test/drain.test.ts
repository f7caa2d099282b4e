import { get, request } from 'node:http';
import { once } from 'node:events';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { dial, greet, type Line } from './line.ts';
import { relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

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
