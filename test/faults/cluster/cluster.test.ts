import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoveMember, createRoleChange } from '@keytide/key-directory';
import { startRelay } from '@keytide/server-relay';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, envelopeOf } from '../../../packages/server-relay/test/group.ts';
import { greet } from '../../../packages/server-relay/test/line.ts';
import { appendLog, call, settle, tokenOf } from '../../../packages/server-relay/test/relay-under-test.ts';
import { endChildren } from '../child.ts';
import { logOfRelay } from '../group-log.ts';
import { createSchedule } from '../schedule.ts';
import { createWireDevice, type WireDevice } from './device.ts';
import { createHistory } from './history.ts';
import { startCluster, type Cluster, type Node } from './nodes.ts';

/** The short form runs in CI; `KEYTIDE_CLUSTER_ROUNDS=50` takes some ten minutes. */
const ROUNDS = Number(process.env['KEYTIDE_CLUSTER_ROUNDS'] ?? 5);
/** Of one fault. Longer than a lease, and than the bus may be silent, in the long form; tests of their own are so in the short one. */
const LONGEST_MS = ROUNDS > 5 ? 4_500 : 1_500;
/** Those of the tests before, and one to be removed in each round. */
const MEMBERS = 9 + ROUNDS;
const QUICK_MS = 60_000;

const schedule = createSchedule('cluster');
const world = seededWorld({ seed: 'a cluster', members: MEMBERS, admins: 2, startMs: Date.now() - 60_000 });
const { org } = world;
const group = world.state.everyone;
const history = createHistory();
const devices = new Map<SeededDevice, WireDevice>();
let cluster: Cluster;
let nodes: readonly [Node, Node, Node];

function member(index: number): SeededDevice {
  return (world.members[index] as (typeof world.members)[0]).devices[0];
}

function deviceOf(index: number): WireDevice {
  const device = member(index);
  const known = devices.get(device);
  if (known !== undefined) return known;
  const anyDoor = () => schedule.pick(nodes).door;
  const fresh = createWireDevice({ org, group, device, random: world.random, anyDoor, history });
  devices.set(device, fresh);
  return fresh;
}

function write(by: WireDevice): Promise<number> {
  return by.append(envelopeOf(world, 200));
}

/** By the founder, through a node, or through any until one has done it; when it resolves, that is acknowledged. */
async function remove(index: number, through: Node | 'any'): Promise<void> {
  const { id, devices: of } = world.members[index] as (typeof world.members)[0];
  const wire = createRemoveMember({ ...world.as(member(0)), member: id });
  world.append(wire);
  for (let isDone = false; !isDone;) {
    const { door } = through === 'any' ? schedule.pick(nodes) : through;
    isDone = await tokenOf(door, org, member(0))
      .then((token) => appendLog(door, org, token, wire))
      .then(({ status }) => status === 201)
      .catch(() => false);
    if (!isDone) await sleep(50);
  }
  history.barred(of[0].id);
}

beforeAll(async () => {
  cluster = await startCluster();
  nodes = cluster.nodes;
  await settle(nodes[0].door, world);
  const line = await greet(nodes[1].door, await tokenOf(nodes[1].door, org, member(0)));
  line.send(await announceOf(world, member(0), 1));
  await line.next('appended');
  line.socket.terminate();
});

afterAll(async () => {
  for (const device of devices.values()) await device.stop();
  await cluster?.remove();
  await endChildren();
});

test(
  'what one node stores, devices at the others are shown at once, and live frames with it',
  async () => {
    const lines = [];
    for (const [index, { door }] of nodes.entries()) {
      const line = await greet(door, await tokenOf(door, org, member(index)));
      line.send({ type: 'subscribe', group, afterSeq: 0 });
      await line.next('caught-up');
      lines.push(line);
    }
    const [first, , third] = lines;
    if (first === undefined || third === undefined) throw new Error('three lines');
    const startMs = performance.now();
    const envelope = envelopeOf(world);
    first.send({
      type: 'append',
      requestId: 1,
      group,
      items: [{ messageId: world.random(16), envelope }],
    });
    history.invoked(envelope);
    history.acknowledged(envelope, (await first.next('appended')).seqs[0] as number);
    await expect.poll(() => third.frames.filter(({ type }) => type === 'entries').length).toBe(2);
    console.log(`cluster: another node shows it after ${Math.round(performance.now() - startMs)} ms`);
    first.send({ type: 'ephemeral', group, frame: Uint8Array.of(7) });
    expect((await third.next('ephemeral')).frame).toEqual(Uint8Array.of(7));
    for (const { socket } of lines) socket.terminate();
  },
  QUICK_MS,
);

test(
  'a removal is acknowledged when no node shows the removed device anything more',
  async () => {
    const [a, b] = nodes;
    const [writer, victim] = [deviceOf(0), deviceOf(MEMBERS - 1)];
    for (const device of [writer, victim]) {
      device.useDoor(b.door);
      await device.follow();
    }
    // The node of both hears nothing of it, and does not know yet that it hears nothing.
    b.toRedis.swallow();
    await remove(MEMBERS - 1, a);
    const seq = await write(writer);
    await expect.poll(() => victim.isBarred()).toBe(true);
    expect(victim.cursor()).toBeLessThan(seq);
    b.toRedis.mend();
  },
  QUICK_MS,
);

test(
  'a node that stands still is not waited for longer than its lease, and looks before it goes on',
  async () => {
    const [a, b] = nodes;
    const listen = async (index: number) => {
      const line = await greet(b.door, await tokenOf(b.door, org, member(index)));
      line.send({ type: 'subscribe', group, afterSeq: 0 });
      await line.next('caught-up');
      return line;
    };
    const [from, to] = [await listen(0), await listen(MEMBERS - 2)];
    b.child.stall();
    from.send({ type: 'ephemeral', group, frame: Uint8Array.of(8) });
    const startMs = performance.now();
    await remove(MEMBERS - 2, a);
    expect(performance.now() - startMs).toBeGreaterThan(2_000);
    b.child.goOn();
    await to.ended;
    expect(to.frames.filter(({ type }) => type === 'ephemeral')).toEqual([]);
    from.socket.terminate();
  },
  QUICK_MS,
);

test(
  'a log-out at one node is effective at the others when it is acknowledged',
  async () => {
    const [a, b] = nodes;
    b.toRedis.swallow();
    const line = await greet(b.door, await tokenOf(b.door, org, member(3)));
    line.send({ type: 'subscribe', group, afterSeq: 0 });
    await line.next('caught-up');
    const token = await tokenOf(a.door, org, member(3));
    const ended = await call(a.door, 'POST', `/organisations/${org}/sessions/end`, {
      token,
      body: { which: 'others' },
    });
    expect(ended.status).toBe(200);
    const last = await write(deviceOf(0));
    await line.ended;
    const shown = line.frames.flatMap((frame) =>
      frame.type === 'entries' ? [frame.firstSeq + frame.entries.length - 1] : [],
    );
    expect(Math.max(0, ...shown)).toBeLessThan(last);
    b.toRedis.mend();
  },
  QUICK_MS,
);

test(
  'a wake-up that is lost costs time and nothing else',
  async () => {
    const [a, b] = nodes;
    const [writer, reader] = [deviceOf(4), deviceOf(6)];
    reader.useDoor(b.door);
    await reader.follow();
    writer.useDoor(a.door);
    b.toRedis.swallow();
    const seq = await write(writer);
    await expect.poll(() => reader.cursor(), { timeout: 10_000 }).toBe(seq);
    b.toRedis.mend();
  },
  QUICK_MS,
);

test(
  'without Redis, PostgreSQL carries the same',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keytide-notify-'));
    const url = await cluster.postgres.createDatabase('notify');
    const database = { kind: 'postgres', url, keyFile: join(folder, 'relay-key'), cluster: {} } as const;
    const publicUrl = 'http://relay.example';
    const options = { database, publicUrl, port: 0, log: () => {}, limits: { headsMs: 600_000 } };
    const relays = [await startRelay(options), await startRelay(options)] as const;
    try {
      const [a, b] = relays;
      const here = seededWorld({ seed: 'notify', members: 1, startMs: Date.now() - 60_000 });
      await settle(a, here);
      const [device] = here.members[0].devices;
      const [from, to] = [
        await greet(a, await tokenOf(a, here.org, device)),
        await greet(b, await tokenOf(b, here.org, device)),
      ];
      to.send({ type: 'subscribe', group: here.state.everyone, afterSeq: 0 });
      await to.next('caught-up');
      for (const relay of relays)
        await expect.poll(() => relay.metrics()).toContain('keytide_relay_bus_up 1');
      from.send(await announceOf(here, device, 1));
      expect((await to.next('entries')).firstSeq).toBe(1);
      from.send({ type: 'ephemeral', group: here.state.everyone, frame: here.random(4096) });
      await to.next('ephemeral');
      for (const { socket } of [from, to]) socket.terminate();
    } finally {
      for (const relay of relays) await relay.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
  QUICK_MS,
);

test(
  'a role that was taken away at one node gives no right at another one',
  async () => {
    const [a, b] = nodes;
    b.toRedis.swallow();
    const { id } = world.members[1] as (typeof world.members)[0];
    const line = await greet(b.door, await tokenOf(b.door, org, member(1)));
    const token = await tokenOf(b.door, org, member(1));
    const ask = () => call(b.door, 'GET', `/organisations/${org}/wipe-receipts`, { token });
    expect((await ask()).status).toBe(200);
    const wire = createRoleChange({ ...world.as(member(0)), member: id, role: 'member' });
    world.append(wire);
    expect((await appendLog(a.door, org, await tokenOf(a.door, org, member(0)), wire)).status).toBe(201);
    expect((await ask()).body.code).toBe('not-a-member');
    line.socket.terminate();
    b.toRedis.mend();
  },
  QUICK_MS,
);

test('nothing is lost, doubled, out of order or shown to the removed while nodes, Redis and PostgreSQL fail', async () => {
  const writers = [2, 3, 4].map(deviceOf);
  const readers = [...writers, deviceOf(0)];
  for (const device of readers) {
    device.useDoor(null);
    await device.follow();
  }
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    async node() {
      const node = schedule.pick(nodes);
      await node.child.kill();
      await sleep(schedule.between(0, 500));
      await node.start();
    },
    async redis() {
      await cluster.redis.kill();
      await sleep(schedule.between(100, LONGEST_MS));
      await cluster.redis.start();
    },
    postgres: () => cluster.postgres.restart(),
    async network() {
      for (const { toRedis } of nodes) {
        const kind = schedule.pick(['cut', 'swallow', 'delay', 'corrupt', 'halfClose'] as const);
        if (kind === 'delay') toRedis.delay(schedule.anyScale(1, 2_000));
        else toRedis[kind]();
      }
      await sleep(schedule.between(100, LONGEST_MS));
      for (const { toRedis } of nodes) toRedis.mend();
    },
    async stall() {
      const { child } = schedule.pick(nodes);
      child.stall();
      await sleep(schedule.between(100, LONGEST_MS));
      child.goOn();
    },
  };
  const names = Object.keys(faults);
  let writing = true;
  const written = writers.map(async (writer) => {
    while (writing) {
      await write(writer);
      await sleep(schedule.anyScale(1, 100));
    }
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    // Each of them once, in any order, then any of them.
    const name = round < names.length ? (names[round] as string) : schedule.pick(names);
    // While a node, PostgreSQL or a stall is in the way, and in the long form each time.
    const isRemoving = ROUNDS > 5 || round % 2 === 0;
    if (isRemoving) await deviceOf(7 + round).follow();
    const removed = sleep(schedule.between(0, 500)).then(async () => {
      if (isRemoving) await remove(7 + round, 'any');
    });
    await (faults[name] as () => Promise<void>)();
    await removed;
    await sleep(schedule.between(100, 600));
  }
  writing = false;
  await Promise.all(written);
  const late = deviceOf(5);
  await late.follow();
  const last = await write(late);
  for (const device of [...readers, late])
    await expect.poll(() => device.cursor(), { timeout: 30_000 }).toBe(last);
  for (const device of devices.values()) await device.stop();
  for (const { child } of nodes) await child.kill();

  const log = await logOfRelay(cluster.database, org);
  console.log(`cluster: ${ROUNDS} faults, ${history.acknowledgements()} acknowledged of ${log.seqs.length}`);
  expect(
    history.contradictions(
      log,
      [...readers, late].map(({ id }) => id),
    ),
  ).toEqual([]);
  expect(history.acknowledgements()).toBeGreaterThan(10 * ROUNDS);
});
