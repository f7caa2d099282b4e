import { toHex } from '@keytide/crypto-core';
import { postgresProcesses, seededWorld } from '@keytide/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { announceOf, appendOf, envelopeOf } from '../../packages/server-relay/test/group.ts';
import { greet } from '../../packages/server-relay/test/line.ts';
import { call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';
import { endChildren } from './child.ts';
import { createWireDevice } from './cluster/device.ts';
import { createHistory } from './cluster/history.ts';
import { openPglite, openPostgres, urlOf, type TestDatabase } from './databases.ts';
import { fillDisk, makeRoom } from './full-disk.ts';
import { logOfRelay } from './group-log.ts';
import { createRelayProcess } from './relay-process.ts';

/** Nothing can be written any more, not even the log of what is to be written. */
const FULL = 4_096;
/** Above a file of 1 MiB of PostgreSQL's own log: tables find no room, and everything else goes on. */
const NO_ROOM_FOR_TABLES = 1_500_000;

afterAll(endChildren);

/** A relay on this database, one device that writes and one that reads, and what they saw. */
async function deploy({ database }: TestDatabase) {
  const world = seededWorld({ seed: 'a full disk', members: 2, startMs: Date.now() - 60_000 });
  const { org, random } = world;
  const group = world.state.everyone;
  const relay = await createRelayProcess(database);
  const child = relay.start();
  await relay.listening();
  const door = { url: relay.url, name: relay.url };
  await settle(door, world);
  const history = createHistory();
  const [writer, reader] = world.members.map(({ devices: [device] }) =>
    createWireDevice({ org, group, device, random, anyDoor: () => door, history }),
  );
  const [founder] = world.members[0].devices;
  if (writer === undefined || reader === undefined) throw new Error('two members');
  const line = await greet(door, await tokenOf(door, org, founder));
  line.send(await announceOf(world, founder, 1));
  await line.next('appended');
  line.socket.terminate();
  await reader.follow();
  const write = (sizeBytes = 2_000) => writer.append(envelopeOf(world, sizeBytes));
  for (let count = 0; count < 5; count += 1) await write();

  return {
    world,
    door,
    child,
    write,
    /** To be made while there is room: what it calls finds none, and says so. What it holds may be in the log in the end. */
    async refusal() {
      const open = await greet(door, await tokenOf(door, org, founder));
      return async () => {
        open.send(appendOf(world, 1, 10, 60_000));
        expect(await open.next('refused')).toMatchObject({ requestId: null, code: 'unavailable' });
        const body = { subject: { kind: 'device', id: founder.id } };
        const login = await call(door, 'POST', `/organisations/${org}/challenges`, { body });
        expect([login.status, login.body.code]).toEqual([503, 'unavailable']);
      };
    },
    /** Appends until one finds no room; all that were acknowledged before have to be there. */
    async writeUntilFull() {
      const again = await greet(door, await tokenOf(door, org, founder));
      for (let requestId = 1; requestId < 100; requestId += 1) {
        const append = appendOf(world, requestId, 10, 60_000);
        for (const { envelope } of append.items) history.invoked(envelope);
        again.send(append);
        const answer = await again.next('appended').catch(() => again.next('refused'));
        if (answer.type === 'refused') return expect(answer.code).toBe('unavailable');
        append.items.forEach(({ envelope }, i) => history.acknowledged(envelope, answer.seqs[i] as number));
      }
      expect.fail('there is room');
    },
    /** Ends it, and holds everything that was said against what is there. */
    async check() {
      const last = await write();
      await expect.poll(() => reader.cursor(), { timeout: 30_000 }).toBe(last);
      await writer.stop();
      await reader.stop();
      await relay.kill();
      const log = await logOfRelay(database, org);
      expect(history.contradictions(log, [reader.id])).toEqual([]);
    },
  };
}

test('on PGlite, a full disk costs nothing that was acknowledged, and is over when there is room', async () => {
  const opened = await openPglite();
  try {
    const { child, write, refusal, check } = await deploy(opened);
    const expectRefusal = await refusal();
    await fillDisk([child.pid], FULL);
    await expectRefusal();
    const waiting = [write(), write()];
    await makeRoom([child.pid]);
    await Promise.all(waiting);
    await check();
  } finally {
    await endChildren();
    await opened.remove();
  }
});

describe('on PostgreSQL', () => {
  test('a full disk costs nothing that was acknowledged, and is over when there is room', async () => {
    const opened = await openPostgres(1);
    const url = urlOf(opened);
    try {
      const { world, door, child, write, refusal, writeUntilFull, check } = await deploy(opened);
      const token = await tokenOf(door, world.org, world.members[0].devices[0]);

      // Where blobs are.
      const path = `/organisations/${world.org}/blobs/${toHex(world.random(32))}`;
      const bytes = world.random(150_000);
      expect((await call(door, 'POST', path, { token, body: { sizeBytes: bytes.length } })).status).toBe(201);
      const put = () =>
        fetch(`${door.url}/v1${path}?offset=0`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
          body: bytes.slice(),
        }).then(async (response) => ({ status: response.status, body: await response.json() }));
      await fillDisk([child.pid], 100_000);
      expect(await put()).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      await makeRoom([child.pid]);
      expect(await put()).toMatchObject({ status: 200, body: { receivedBytes: bytes.length } });
      const whole = await fetch(`${door.url}/v1${path}?offset=0&sizeBytes=${bytes.length}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(new Uint8Array(await whole.arrayBuffer())).toEqual(bytes);

      // Where tables are: nothing is taken, and what is there is read.
      await fillDisk(await postgresProcesses(url), NO_ROOM_FOR_TABLES);
      await writeUntilFull();
      const log = await call(door, 'GET', `/organisations/${world.org}/log?from=0`, { token });
      expect(log.status).toBe(200);
      await makeRoom(await postgresProcesses(url));
      await write();

      // Where PostgreSQL's own log is: it stops, and whoever runs it starts it again when there is room.
      const expectRefusal = await refusal();
      await fillDisk(await postgresProcesses(url), FULL);
      await expectRefusal();
      const waiting = [write(), write()];
      await opened.restart();
      await Promise.all(waiting);
      await check();
    } finally {
      await endChildren();
      await opened.remove();
    }
  });
});
