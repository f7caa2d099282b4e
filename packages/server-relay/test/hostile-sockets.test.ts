import { channel } from 'node:diagnostics_channel';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { concatBytes, encodeCbor, idBytes } from '@keytide/crypto-core';
import { encodeClientFrame } from '@keytide/relay-protocol';
import { seededRandom, seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { dial, greet, seqsOf } from './line.ts';
import { call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'hostile', members: 2 });
const group = world.state.everyone;
/** Rates are for another test: here nobody is slowed down. */
const limits = {
  helloMs: 700,
  lagBytes: 65_536,
  sockets: 40,
  socketsOfDevice: 40,
  organisationBurst: 100_000_000,
};
let relay: RelayUnderTest;
let token: string;

beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock, limits });
  await settle(relay, world);
  const device = world.members[1]?.devices[0] as SeededDevice;
  token = await tokenOf(relay, world.org, device);
  const line = await greet(relay, token);
  line.send(await announceOf(world, device, 1));
  await line.next('appended');
  line.socket.close();
});
afterAll(() => relay.close());

const alive = async () => expect((await call(relay, 'GET', '/health')).status).toBe(200);

/** The relay's side of the connections that open while `work` runs. */
async function serverSides<T>(work: () => Promise<T>): Promise<{ result: T; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const listener = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  channel('net.server.socket').subscribe(listener);
  try {
    return { result: await work(), sockets };
  } finally {
    channel('net.server.socket').unsubscribe(listener);
  }
}

test('bytes that are no frame are refused, and the connection ends', async () => {
  const ping = encodeClientFrame({ type: 'ping', nonce: 1 });
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(0xff),
    Uint8Array.of(0x80),
    encodeCbor('hello'),
    encodeCbor([99, 1]),
    encodeCbor([2, 1, world.random(32), []]),
    encodeCbor([2, 1, world.random(31), [[world.random(16), world.random(200)]]]),
    encodeCbor([4, idBytes(group), -1]),
    encodeCbor([5, 1, 1]),
    concatBytes(ping, ping),
    ping.subarray(0, 1),
    // The same ping, but not in the shortest form.
    Uint8Array.of(0x82, 0x18, 5, 1),
    // A later hello, with something behind its token.
    encodeCbor([1, 1, token, 'and more']),
    new Uint8Array(900_000).fill(0x81),
  ]) {
    const line = await greet(relay, token);
    line.sendBytes(bytes);
    expect(await line.next('refused')).toEqual({ type: 'refused', requestId: null, code: 'malformed' });
    expect(await line.ended).toBe(1008);
  }
  await alive();
});

test('text is refused', async () => {
  const line = await greet(relay, token);
  line.socket.send('[5,1]');
  expect(await line.next('refused')).toMatchObject({ code: 'malformed' });
  expect(await line.ended).toBe(1008);
});

test('an oversized frame is refused, and one over the largest is cut off while it comes in', async () => {
  const large = await greet(relay, token);
  large.sendBytes(encodeCbor([2, 1, idBytes(group), [[world.random(16), new Uint8Array(1_048_576)]]]));
  expect(await large.next('refused')).toMatchObject({ code: 'too-large' });
  expect(await large.ended).toBe(1009);
  const huge = await greet(relay, token);
  huge.sendBytes(new Uint8Array(17_000_000));
  expect(await huge.ended).toBe(1009);
  expect(huge.frames.map(({ type }) => type)).toEqual(['welcome']);
  await alive();
});

test('another protocol version is refused by name', async () => {
  for (const hello of [encodeCbor([1, 2, token]), encodeCbor([1, 7, token, 'and more'])]) {
    const line = await dial(relay);
    line.sendBytes(hello);
    expect(await line.next('refused')).toMatchObject({ requestId: null, code: 'unsupported-version' });
    expect(await line.ended).toBe(1008);
  }
});

test('before hello nothing else is listened to', async () => {
  for (const frame of [appendOf(world, 1), { type: 'ping', nonce: 1 } as const]) {
    const line = await dial(relay);
    line.send(frame);
    expect(await line.next('refused')).toMatchObject({ code: 'malformed' });
    expect(await line.ended).toBe(1008);
  }
  const wrong = await dial(relay);
  wrong.send({ type: 'hello', token: 'A'.repeat(86) });
  expect(await wrong.next('refused')).toMatchObject({ code: 'session-ended' });
  const flood = await dial(relay);
  flood.sendBytes(new Uint8Array(15_000_000));
  expect([1006, 1009]).toContain(await flood.ended);
  await alive();
});

test('who says nothing is sent away', async () => {
  const line = await dial(relay);
  expect(await line.next('refused')).toMatchObject({ code: 'hello-timeout' });
  expect(await line.ended).toBe(1008);
});

test('frames sent together with hello are answered after it', async () => {
  const line = await dial(relay);
  line.send({ type: 'hello', token });
  line.send({ type: 'ping', nonce: 5 });
  line.send({ type: 'subscribe', group, afterSeq: 0 });
  await line.next('caught-up');
  expect(line.frames.map(({ type }) => type)).toEqual(['welcome', 'pong', 'head', 'entries', 'caught-up']);
  line.socket.close();
});

test('a slow reader costs the relay no more than its limit, and misses nothing', async () => {
  const writer = await greet(relay, token);
  const { result: reader, sockets } = await serverSides(() => greet(relay, token));
  reader.send({ type: 'subscribe', group, afterSeq: 1 });
  await reader.next('caught-up');
  reader.socket.pause();
  const [side] = sockets as [Socket];
  let mostBytes = 0;
  let head = 1;
  for (let round = 0; round < 25; round += 1) {
    writer.send(appendOf(world, round, 20, 20_000));
    head = Math.max(head, ...(await writer.next('appended')).seqs);
    mostBytes = Math.max(mostBytes, side.writableLength);
  }
  // 10 MB were written. One page beside the limit, the rest is the kernel's.
  expect(mostBytes).toBeGreaterThan(limits.lagBytes);
  expect(mostBytes).toBeLessThan(limits.lagBytes + 1_048_576);
  reader.socket.resume();
  while (seqsOf(reader).at(-1) !== head) await reader.next('entries');
  expect(seqsOf(reader)).toEqual(Array.from({ length: head - 1 }, (_, i) => i + 2));
  reader.socket.close();
  writer.socket.close();
});

test('who asks without reading the answers is not listened to for ever', async () => {
  const { result: line, sockets } = await serverSides(() => greet(relay, token));
  line.socket.pause();
  const ping = encodeClientFrame({ type: 'ping', nonce: 2 ** 40 });
  const [side] = sockets as [Socket];
  let mostBytes = 0;
  for (let round = 0; round < 300 && line.socket.readyState === line.socket.OPEN; round += 1) {
    for (let i = 0; i < 2_000; i += 1) line.sendBytes(ping);
    await new Promise((resolve) => setImmediate(resolve));
    mostBytes = Math.max(mostBytes, side.writableLength);
  }
  expect(mostBytes).toBeLessThan(4 * limits.lagBytes);
  line.socket.terminate();
  await alive();
});

test('there are only so many sockets', async () => {
  const lines = [];
  for (let i = 0; i < limits.sockets; i += 1) lines.push(await greet(relay, token));
  await expect(dial(relay)).rejects.toThrow('503');
  for (const line of lines) line.socket.terminate();
});

test('an upgrade elsewhere is refused', async () => {
  const status = await new Promise((resolve, reject) => {
    const headers = { connection: 'upgrade', upgrade: 'websocket' };
    const asked = request(`${relay.url}/v1/other`, { headers }, (response) => resolve(response.statusCode));
    asked.on('error', reject);
    asked.end();
  });
  expect(status).toBe(404);
});

test('thousands of damaged frames do no damage', async () => {
  const seed = 'damage 1';
  const random = seededRandom(seed);
  const number = (below: number): number =>
    ((random(1)[0] as number) * 256 + (random(1)[0] as number)) % below;
  const device = world.members[1]?.devices[0] as SeededDevice;
  const models = [
    encodeClientFrame({ type: 'hello', token }),
    encodeClientFrame(appendOf(world, 3, 2, 200)),
    encodeClientFrame(await announceOf(world, device, 4)),
    encodeClientFrame({ type: 'subscribe', group, afterSeq: 1_000_000 }),
    encodeClientFrame({ type: 'ping', nonce: 9 }),
  ];
  let line = await greet(relay, token);
  for (let i = 0; i < 4_000; i += 1) {
    const bytes = new Uint8Array(models[number(models.length)] as Uint8Array);
    for (let hits = 1 + number(3); hits > 0; hits -= 1)
      bytes[number(Math.min(bytes.length, 120))] = number(256);
    line.sendBytes(number(8) === 0 ? bytes.subarray(0, number(bytes.length)) : bytes);
    if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (line.socket.readyState !== line.socket.OPEN) line = await greet(relay, token);
  }
  line.socket.terminate();
  await alive();
  const again = await greet(relay, token);
  again.send({ type: 'subscribe', group, afterSeq: 0 });
  await again.next('caught-up');
  const seqs = seqsOf(again);
  expect(seqs, `seed ${seed}`).toEqual(Array.from(seqs, (_, i) => i + 1));
  expect(relay.events.filter(({ event }) => event === 'failed')).toEqual([]);
  again.socket.close();
}, 120_000);
