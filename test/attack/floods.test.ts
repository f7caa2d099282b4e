import { connect, type Socket } from 'node:net';
import { concatBytes } from '@keytide/crypto-core';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dial, greet } from '../../packages/server-relay/test/line.ts';
import {
  asDevice,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type RelayUnderTest,
} from '../../packages/server-relay/test/relay-under-test.ts';
import { ask } from './ask.ts';

const REQUEST_MS = 400;
const STRANGERS = 30;
const world = seededWorld({ seed: 'floods', members: 2 });
let relay: RelayUnderTest;
let token: string;
beforeAll(async () => {
  const limits = {
    requestMs: REQUEST_MS,
    helloMs: 500,
    sockets: 20,
    socketsOfDevice: 4,
    strangerBurst: STRANGERS,
    strangersPerSecond: 1,
  };
  relay = await relayUnderTest({ clock: world.clock, limits });
  token = await settle(relay, world);
});
afterAll(() => relay.close());

/** Says something now and then until the other side ends it; for how long that was. */
function dribble(start: string, drop: string): Promise<number> {
  const { hostname, port } = new URL(relay.url);
  const startMs = performance.now();
  return new Promise((resolve) => {
    const socket: Socket = connect(Number(port), hostname, () => socket.write(start));
    const dripping = setInterval(() => socket.write(drop), REQUEST_MS / 10);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearInterval(dripping);
      resolve(performance.now() - startMs);
    });
  });
}

describe('API4: Unrestricted resource consumption', () => {
  test('headers and bodies that come a byte at a time are cut off', async () => {
    const head = `POST /v1/organisations HTTP/1.1\r\nhost: x\r\n`;
    const body = `${head}content-type: application/json\r\ncontent-length: 90000\r\n\r\n{`;
    const took = await Promise.all([dribble(head, 'x-a: b\r\n'), dribble(body, ' '), dribble('GET', ' ')]);
    for (const ms of took) expect(ms).toBeLessThan(REQUEST_MS * 20);
    expect(Math.min(...took)).toBeGreaterThan(REQUEST_MS / 2);
  });

  test('a device has only so many sockets: one more takes the place of its oldest, and nobody else’s', async () => {
    const another = await greet(
      relay,
      await tokenOf(relay, world.org, world.members[1]?.devices[0] as SeededDevice),
    );
    const lines = [another];
    for (let at = 0; at < 7; at += 1) lines.push(await greet(relay, token));
    expect(await Promise.all(lines.slice(1, 4).map(({ ended }) => ended))).toEqual([1001, 1001, 1001]);
    const left = [another, ...lines.slice(4)];
    for (const line of left) line.send({ type: 'ping', nonce: 1 });
    for (const line of left) await line.next('pong');
    for (const line of lines) line.socket.close();
    await Promise.all(lines.map(({ ended }) => ended));
  });

  test('sockets that say nothing, or half a hello, hold a place for a moment; devices get in again after', async () => {
    const flood = await Promise.all(Array.from({ length: 20 }, () => dial(relay)));
    for (const line of flood.slice(10)) line.sendBytes(Uint8Array.of(0x83, 1));
    await expect(dial(relay)).rejects.toThrow('503');
    expect(new Set(await Promise.all(flood.map(({ ended }) => ended)))).toEqual(new Set([1008]));
    const line = await greet(relay, token);
    line.socket.close();
    await line.ended;
  });

  test('frames nested a thousand and a hundred thousand deep are malformed, before and after hello', async () => {
    const deep = (depth: number) => new Uint8Array(depth).fill(0x81);
    const whole = concatBytes(deep(1_000), Uint8Array.of(0));
    for (const bytes of [whole, deep(100_000), concatBytes(Uint8Array.of(0x83, 4), deep(100_000))]) {
      const early = await dial(relay);
      early.sendBytes(bytes.subarray(0, 16_000));
      expect(await early.next('refused')).toMatchObject({ code: 'malformed' });
      await early.ended;
      const line = await greet(relay, token);
      line.sendBytes(bytes);
      expect(await line.next('refused')).toMatchObject({ code: 'malformed' });
      await line.ended;
    }
  });
});

describe('API6: Unrestricted access to sensitive business flows', () => {
  test('strangers together log in, found and ask so often and no more; who has a session goes on, and devices are unlocked', async () => {
    const { refreshToken } = (await tryLogin(relay, world.org, asDevice(world.members[0].devices[0]))).body;
    const path = `/v1/organisations/${world.org}/challenges`;
    const asked = { method: 'POST', path, body: '{"subject":1}' };
    const codes: (string | null)[] = [];
    for (let i = 0; i < STRANGERS + 5; i += 1) codes.push((await ask(relay.url, asked)).code);
    expect(codes.slice(-3)).toEqual(['rate-limited', 'rate-limited', 'rate-limited']);
    const login = await ask(relay.url, { ...asked, path: `/v1/organisations/${world.org}/sessions` });
    expect(login.status).toBe(429);
    const mail = { method: 'GET', path: `/v1/organisations/${world.org}/mail?after=0`, token };
    expect(await ask(relay.url, mail)).toMatchObject({ status: 200 });
    const refresh = { method: 'POST', path: `/v1/organisations/${world.org}/sessions/refresh` };
    const body = JSON.stringify({ refreshToken });
    expect(await ask(relay.url, { ...refresh, body })).toMatchObject({ status: 200 });
    // Whoever is locked out of their device has no session: they come as strangers do.
    const share = { ...asked, path: `/v1/organisations/${world.org}/unlock-share/fetch` };
    const key = JSON.stringify({ id: 'A'.repeat(43), proof: 'A'.repeat(43) });
    expect(await ask(relay.url, { ...share, body: key })).toMatchObject({ status: 404, code: 'no-share' });
  });
});
