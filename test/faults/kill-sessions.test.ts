import { orgId } from '@keytide/crypto-core';
import { killSessions, startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { holdTable, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from '../../packages/server-relay/test/group.ts';
import { greet, seqsOf, type Line } from '../../packages/server-relay/test/line.ts';
import { call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';
import { openPglite, openPostgres, type TestDatabase } from './databases.ts';

const world = seededWorld({ seed: 'kill from outside', members: 2, startMs: Date.now() - 60_000 });
const { org } = world;
const group = world.state.everyone;
const [ada, bo] = world.members.map(({ devices }) => devices[0]);
const events: LogEvent[] = [];
let under: TestDatabase;
let relay: Relay;

function start({ database }: TestDatabase): Promise<Relay> {
  const log = (event: LogEvent): void => void events.push(event);
  return startRelay({ database, port: 0, log, limits: { sessionLookMs: 50 } });
}

async function listen(device = bo): Promise<Line> {
  if (device === undefined) throw new Error('no such member');
  const line = await greet(relay, await tokenOf(relay, org, device));
  line.send({ type: 'subscribe', group, afterSeq: 0 });
  await line.next('caught-up');
  return line;
}

beforeAll(async () => {
  under = await openPostgres();
  relay = await start(under);
  await settle(relay, world);
  const line = await greet(relay, await tokenOf(relay, org, world.members[0].devices[0]));
  line.send(await announceOf(world, world.members[0].devices[0], 1));
  await line.next('appended');
  line.socket.close();
});
afterAll(async () => {
  await relay.close();
  await under.remove();
});

test('a kill from outside ends sessions on a running relay, sockets and all, and logins go on', async () => {
  if (bo === undefined) throw new Error('no such member');
  for (const which of [
    { of: 'devices', org, devices: [bo.id], but: null },
    { of: 'organisation', org },
    { of: 'relay' },
  ] as const) {
    const token = await tokenOf(relay, org, bo);
    const line = await greet(relay, token);
    expect(await killSessions(under.database, which)).toBeGreaterThan(0);
    expect(await killSessions(under.database, which)).toBe(0);
    expect((await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token })).status).toBe(401);
    expect(await line.next('refused')).toMatchObject({ code: 'session-ended' });
    (await listen()).socket.close();
  }
  const strange = killSessions(under.database, { of: 'organisation', org: orgId('ab'.repeat(32)) });
  await expect(strange).rejects.toMatchObject({ code: 'not-found' });
});

test('while nobody can say who was logged out, no content goes out; afterwards nothing is missing', async () => {
  const [from, to] = [await listen(ada), await listen()];
  const frames = () => to.frames.flatMap((frame) => (frame.type === 'ephemeral' ? [frame.frame[0]] : []));
  const roundTrip = async (line: Line) => {
    line.send({ type: 'ping', nonce: 1 });
    await line.next('pong');
  };
  from.send({ type: 'ephemeral', group, frame: Uint8Array.of(1) });
  await expect.poll(frames).toEqual([1]);
  const failures = () => events.filter(({ event }) => event === 'failed').length;
  const before = failures();
  const organisations = await holdTable(
    under.database.kind === 'postgres' ? String(under.database.url) : '',
    'organisations',
    'everybody',
  );
  try {
    await expect.poll(failures).toBeGreaterThan(before);
    from.send({ type: 'ephemeral', group, frame: Uint8Array.of(2) });
    from.send(appendOf(world, 2));
    const [seq] = (await from.next('appended')).seqs;
    await roundTrip(to);
    expect(frames()).toEqual([1]);
    expect(seqsOf(to)).not.toContain(seq);
    await organisations.release();
    await expect.poll(() => seqsOf(to)).toContain(seq);
  } finally {
    await organisations.release().catch(() => undefined);
  }
  from.send({ type: 'ephemeral', group, frame: Uint8Array.of(3) });
  await expect.poll(frames).toEqual([1, 3]);
  for (const { socket } of [from, to]) socket.close();
});

test('over a folder it waits until the relay has let go of it', async () => {
  const embedded = await openPglite();
  try {
    let running = await start(embedded);
    await settle(running, world);
    const token = await tokenOf(running, org, world.members[0].devices[0]);
    await expect(killSessions(embedded.database, { of: 'relay' })).rejects.toMatchObject({
      code: 'data-folder-locked',
    });
    await running.close();
    await killSessions(embedded.database, { of: 'relay' });
    running = await start(embedded);
    expect((await call(running, 'GET', `/organisations/${org}/log?from=0`, { token })).status).toBe(401);
    await running.close();
  } finally {
    await embedded.remove();
  }
});
