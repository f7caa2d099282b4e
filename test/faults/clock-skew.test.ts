import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { openStore, type DatabaseOptions } from '@keytide/server-relay';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, envelopeOf } from '../../packages/server-relay/test/group.ts';
import { greet } from '../../packages/server-relay/test/line.ts';
import { call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';
import { endChildren, startChild, type Child } from './child.ts';
import { createWireDevice } from './cluster/device.ts';
import { createHistory } from './cluster/history.ts';
import { openPostgres } from './databases.ts';
import { logOfRelay } from './group-log.ts';
import { freePort } from './relay-process.ts';

const DAY_MS = 86_400_000;
const NAME = 'http://relay.example';
/** Debian's package libfaketime, in the folder of whichever architecture. */
const FAKETIME = readdirSync('/usr/lib', { withFileTypes: true })
  .map(({ name }) => join('/usr/lib', name, 'faketime', 'libfaketime.so.1'))
  .find(existsSync);

const world = seededWorld({ seed: 'clocks', members: 3, startMs: Date.now() - 60_000 });
const { org, random } = world;
const group = world.state.everyone;
const history = createHistory();
let under: Awaited<ReturnType<typeof openPostgres>>;
let database: DatabaseOptions;

/** One relay of several, whose clock differs by so much from that of the machine. */
interface SkewedNode {
  readonly door: { readonly url: string; readonly name: string };
  readonly child: Child;
}

async function startNode(aheadMs: number): Promise<SkewedNode> {
  const port = await freePort();
  const child = startChild({
    script: 'relay-main.ts',
    argument: { database, port, publicUrl: NAME },
    env: {
      LD_PRELOAD: FAKETIME ?? '',
      FAKETIME: `${aheadMs < 0 ? '-' : '+'}${Math.abs(Math.round(aheadMs / 1000))}s`,
      // Only the clock of the wall: nobody sets the steady one.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  });
  await child.said('listening');
  return { door: { url: `http://127.0.0.1:${port}`, name: NAME }, child };
}

function deviceOf(index: number): SeededDevice {
  return (world.members[index] as (typeof world.members)[0]).devices[0];
}

/** What is filed under which day, oldest first. */
async function daysOfLog(): Promise<readonly { readonly day: number; readonly firstSeq: number }[]> {
  const { store } = await openStore(database, nodePrimitives, Date.now());
  try {
    return (await store.listLogDays(org, 1_000_000)).toSorted((a, b) => a.firstSeq - b.firstSeq);
  } finally {
    await store.close();
  }
}

beforeAll(async () => {
  if (FAKETIME === undefined) return;
  under = await openPostgres();
  if (under.database.kind !== 'postgres') throw new Error('not PostgreSQL');
  database = { ...under.database, cluster: {} };
});
afterAll(async () => {
  await endChildren();
  await under?.remove();
});

test.skipIf(FAKETIME === undefined)(
  'clocks that differ by hours, one of them over midnight, cost neither order nor days nor sessions',
  async () => {
    // Keys first: two nodes of a fresh database would each make their own.
    const first = await startNode(0);
    await settle(first.door, world);
    const line = await greet(first.door, await tokenOf(first.door, org, deviceOf(0)));
    line.send(await announceOf(world, deviceOf(0), 1));
    await line.next('appended');
    line.socket.terminate();
    await first.child.kill();

    const behind = await startNode(-5 * 3_600_000);
    const wire = (index: number, { door }: SkewedNode) =>
      createWireDevice({ org, group, device: deviceOf(index), random, anyDoor: () => door, history });
    const late = wire(1, behind);
    await late.follow();
    await late.append(envelopeOf(world, 200));
    // Its midnight comes some seconds after its start.
    const midnightMs = Date.now() + 6_000;
    const tomorrowMs = (Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS;
    const ahead = await startNode(tomorrowMs - midnightMs);
    const early = wire(0, ahead);
    const writers = [early, late];
    await early.follow();
    await Promise.all(
      writers.map(async (writer) => {
        while (Date.now() < midnightMs + 1_500) {
          await writer.append(envelopeOf(world, 200));
          await sleep(20);
        }
      }),
    );

    // What one node ends is over at the other, whatever their clocks say; a session runs out by the clock that is asked.
    const read = ({ door }: SkewedNode, token: string) =>
      call(door, 'GET', `/organisations/${org}/log?from=0`, { token });
    const token = await tokenOf(ahead.door, org, deviceOf(2));
    expect((await read(behind, token)).status).toBe(200);
    const end = { token, body: { which: 'this' } };
    expect((await call(ahead.door, 'POST', `/organisations/${org}/sessions/end`, end)).status).toBe(200);
    expect((await read(behind, token)).status).toBe(401);
    const tokenOfBehind = await tokenOf(behind.door, org, deviceOf(2));
    expect((await read(ahead, tokenOfBehind)).body.code).toBe('session-ended');
    expect((await read(ahead, await tokenOf(ahead.door, org, deviceOf(2)))).status).toBe(200);

    // A clock that is far ahead forgets nothing, and says so.
    const far = await startNode(400 * DAY_MS);
    expect(await far.child.said('failed')).toMatchObject({ where: 'forget-logs', code: 'clock-ahead' });

    const last = await late.append(envelopeOf(world, 200));
    for (const writer of writers) await expect.poll(() => writer.cursor(), { timeout: 10_000 }).toBe(last);
    for (const writer of writers) await writer.stop();
    for (const { child } of [behind, ahead, far]) await child.kill();
    const days = await daysOfLog();
    console.log(`clock skew: ${last} entries over ${days.length} days`);
    expect(days.map(({ day }) => day)).toEqual(days.map(({ day }) => day).toSorted((a, b) => a - b));
    expect(new Set(days.map(({ day }) => day)).size).toBe(days.length);
    expect(days[0]?.firstSeq).toBe(1);
    expect(days).toHaveLength(2);
    expect(days.at(-1)?.day).toBe(tomorrowMs / DAY_MS);
    expect(
      history.contradictions(
        await logOfRelay(database, org),
        writers.map(({ id }) => id),
      ),
    ).toEqual([]);
  },
);
