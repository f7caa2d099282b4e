import { groupId } from '@keytide/crypto-core';
import { createRevokeDevice } from '@keytide/key-directory';
import { LIMITS } from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { greet, type Line } from './line.ts';
import { appendLog, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'ephemeral', members: 3 });
const group = world.state.everyone;
const [first, second, third] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const limits = { ephemeralBurst: 3, ephemeralPerSecond: 1 };
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock, limits });
  await settle(relay, world);
});
afterAll(() => relay.close());

/** A socket that follows the group. */
async function follower(device: SeededDevice): Promise<Line> {
  const line = await greet(relay, await tokenOf(relay, world.org, device));
  line.send({ type: 'subscribe', group, afterSeq: 0 });
  await line.next('caught-up');
  return line;
}

/** What came to a line by the time everything that others sent before has been passed on. */
async function heard(line: Line, senders: readonly Line[]): Promise<Uint8Array[]> {
  for (const each of [...senders, line]) {
    each.send({ type: 'ping', nonce: 1 });
    await each.next('pong');
  }
  return line.frames.flatMap((frame) => (frame.type === 'ephemeral' ? [frame.frame] : []));
}

test('a frame goes to whoever follows the group now, but to its sender, and to nobody later', async () => {
  const [from, to, idle] = [
    await follower(first),
    await follower(second),
    await greet(relay, await tokenOf(relay, world.org, third)),
  ];
  const frame = world.random(258);
  const logged = relay.events.length;
  from.send({ type: 'ephemeral', group, frame });
  expect(await heard(to, [from])).toEqual([frame]);
  expect(await heard(from, [])).toEqual([]);
  // Who follows nothing gets nothing, and who comes later finds nothing.
  expect(await heard(idle, [])).toEqual([]);
  expect(relay.events.slice(logged)).toEqual([]);
  const late = await follower(third);
  expect(await heard(late, [])).toEqual([]);
  for (const line of [from, to, idle, late]) line.socket.close();
});

test('a device sends so many a second, over all its sockets; what is more is dropped', async () => {
  world.clock.advance(60_000);
  const [from, twin, to] = [await follower(first), await follower(first), await follower(second)];
  const frames = Array.from({ length: 6 }, () => world.random(200));
  for (const [i, frame] of frames.entries()) (i < 2 ? from : twin).send({ type: 'ephemeral', group, frame });
  // The pong of one tells that all before it is done; the two sockets are read one after the other.
  expect(await heard(to, [from, twin])).toHaveLength(3);
  world.clock.advance(1_000);
  for (const frame of frames.slice(4)) from.send({ type: 'ephemeral', group, frame });
  expect((await heard(to, [from])).slice(3)).toEqual([frames[4]]);
  // Another device has an allowance of its own.
  to.send({ type: 'ephemeral', group, frame: frames[5] as Uint8Array });
  expect(await heard(twin, [to])).toContainEqual(frames[5]);
  for (const line of [from, twin, to]) line.socket.close();
});

test('more than 4 KiB, and a group that is none, end the connection', async () => {
  const frame = new Uint8Array(LIMITS.ephemeralBytes);
  const to = await follower(second);
  for (const [sent, code] of [
    [{ type: 'ephemeral', group, frame: new Uint8Array(LIMITS.ephemeralBytes + 1) }, 'too-large'],
    [{ type: 'ephemeral', group: groupId(world.random(32)), frame }, 'unknown-group'],
  ] as const) {
    const from = await follower(third);
    from.send(sent);
    expect(await from.next('refused')).toMatchObject({ requestId: null, code });
    await from.ended;
  }
  expect(await heard(to, [])).toEqual([]);
  to.socket.close();
});

test('a device that was revoked neither sends nor gets any more', async () => {
  world.clock.advance(60_000);
  const [from, gone, to] = [await follower(first), await follower(third), await follower(second)];
  const wire = createRevokeDevice({ ...world.as(first), device: third.id });
  expect((await appendLog(relay, world.org, await tokenOf(relay, world.org, first), wire)).status).toBe(201);
  gone.send({ type: 'ephemeral', group, frame: world.random(200) });
  await gone.ended;
  from.send({ type: 'ephemeral', group, frame: world.random(201) });
  expect((await heard(to, [from])).map(({ length }) => length)).toEqual([201]);
  expect(gone.frames.filter(({ type }) => type === 'ephemeral')).toEqual([]);
  for (const line of [from, to]) line.socket.close();
});
