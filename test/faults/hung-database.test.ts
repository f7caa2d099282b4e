import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay, type Relay } from '@keytide/server-relay';
import { holdTable, postgresProcesses, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from '../../packages/server-relay/test/group.ts';
import { greet, seqsOf, type Line } from '../../packages/server-relay/test/line.ts';
import { call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';
import { visitPostgres } from '../../packages/server-relay/src/sql/postgres.ts';
import { openPostgres, urlOf } from './databases.ts';
import { logOfRelay } from './group-log.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** What PostgreSQL may take for an answer; and what all that waits for it may take then. */
const ANSWER_MS = 500;
const BOUND_MS = 8_000;

const world = seededWorld({ seed: 'a hung database', members: 1, startMs: Date.now() - 60_000 });
const { org } = world;
const [ada] = world.members[0].devices;
let under: Awaited<ReturnType<typeof openPostgres>>;
let proxy: TcpProxy;
let relay: Relay;
let token: string;

/** A relay that knows the database by the address of the proxy. */
function start(): Promise<Relay> {
  const url = new URL(urlOf(under));
  url.port = String(proxy.port);
  const database = { ...under.database, url: url.href, answerMs: ANSWER_MS };
  return startRelay({ database, port: 0, log: () => {}, limits: { sessionLookMs: 200 } });
}

async function listen(): Promise<Line> {
  const line = await greet(relay, token);
  line.send({ type: 'subscribe', group: world.state.everyone, afterSeq: 0 });
  await line.next('caught-up');
  return line;
}

/** Rejects when it takes longer than anything may that waits for a database. */
async function bounded<T>(work: Promise<T>): Promise<T> {
  const late = new AbortController();
  try {
    const over = sleep(BOUND_MS, null, { signal: late.signal }).then(() => {
      throw new Error('it hangs');
    });
    over.catch(() => undefined);
    return await Promise.race([work, over]);
  } finally {
    late.abort();
  }
}

const read = () => call(relay, 'GET', `/organisations/${org}/log?from=0`, { token });

/** While the database hangs: everything ends with a code, and nothing is said that is not so. */
async function expectCodes(line: Line): Promise<void> {
  const append = appendOf(world, 1);
  line.send(append);
  const refused = bounded(line.next('refused'));
  const [answer, isReady] = await Promise.all([bounded(read()), bounded(relay.isReady())]);
  expect([answer.status, answer.body.code, isReady]).toEqual([503, 'unavailable', false]);
  expect(await refused).toMatchObject({ requestId: null, code: 'unavailable' });
  // Also what needs a new connection, now that the others were given up.
  expect((await bounded(read())).status).toBe(503);
}

/** Once it answers again: without anybody's doing, and what was refused is taken at once. */
async function expectService(): Promise<void> {
  await expect.poll(() => relay.isReady(), { timeout: BOUND_MS }).toBe(true);
  await expect.poll(async () => (await read()).status, { timeout: BOUND_MS }).toBe(200);
  const line = await listen();
  const append = appendOf(world, 2, 3);
  line.send(append);
  const { seqs } = await bounded(line.next('appended'));
  line.send({ ...append, requestId: 3 });
  expect((await bounded(line.next('appended'))).seqs).toEqual(seqs);
  await expect.poll(() => seqsOf(line).at(-1)).toBe(seqs.at(-1));
  expect(seqsOf(line)).toEqual(seqsOf(line).map((_, index) => index + 1));
  line.socket.close();
}

beforeAll(async () => {
  under = await openPostgres();
  proxy = await startTcpProxy(() => Number(new URL(urlOf(under)).port));
  relay = await start();
  token = await settle(relay, world);
  const line = await greet(relay, token);
  line.send(await announceOf(world, ada, 1));
  await line.next('appended');
  line.socket.close();
});
afterAll(async () => {
  await relay?.close();
  await proxy?.close();
  await under?.remove();
});

test('a statement that takes too long is given up on both sides, and its connection goes on', async () => {
  const line = await listen();
  const groups = await holdTable(urlOf(under), 'groups');
  line.send(appendOf(world, 1));
  expect(await bounded(line.next('refused'))).toMatchObject({ code: 'unavailable' });
  await expect.poll(() => groups.waiting(), { timeout: BOUND_MS }).toBe(0);
  await groups.release();
  await expectService();
});

test('a network that lets nothing through ends in codes, and the relay goes on when it does again', async () => {
  const line = await listen();
  proxy.swallow();
  await expectCodes(line);
  proxy.mend();
  await expectService();
});

test('a PostgreSQL that stands still ends in codes, and the relay goes on when it does', async () => {
  const line = await listen();
  const processes = await postgresProcesses(urlOf(under));
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  try {
    await expectCodes(line);
  } finally {
    for (const pid of processes.toReversed()) process.kill(pid, 'SIGCONT');
  }
  await expectService();
});

test('a relay whose database hangs can be ended in good order, and has lost nothing', async () => {
  const line = await listen();
  const append = appendOf(world, 1, 2);
  line.send(append);
  const { seqs } = await line.next('appended');
  proxy.swallow();
  line.send(appendOf(world, 2));
  await bounded(relay.drain(0));
  await bounded(line.ended);
  proxy.mend();
  const { seqs: kept, entries } = await logOfRelay(under.database, org);
  expect(kept).toEqual(kept.map((_, index) => index + 1));
  for (const [index, { envelope }] of append.items.entries())
    expect(entries[(seqs[index] as number) - 1]).toBe(`00${Buffer.from(envelope).toString('hex')}`);
});

test('a day whose tables somebody dropped is an explicit gap, and is written to again', async () => {
  relay = await start();
  token = await tokenOf(relay, org, ada);
  const line = await listen();
  line.send(appendOf(world, 1));
  await line.next('appended');
  line.socket.close();
  const visitor = visitPostgres(urlOf(under));
  const tables = await visitor.query(
    "select relname::text as name from pg_class where relname ~ '^entries_[0-9]+_[0-9]+$'",
  );
  expect(tables).toHaveLength(1);
  for (const { name } of tables) await visitor.query(`drop table ${String(name)}`);
  await visitor.close();

  const writer = await greet(relay, token);
  const append = appendOf(world, 2, 2);
  writer.send(append);
  const [first = 0, second] = (await bounded(writer.next('appended'))).seqs;
  const reader = await greet(relay, token);
  reader.send({ type: 'subscribe', group: world.state.everyone, afterSeq: 0 });
  expect(await bounded(reader.next('gap'))).toMatchObject({ firstAvailableSeq: first });
  await bounded(reader.next('caught-up'));
  expect(seqsOf(reader)).toEqual([first, second]);
  for (const { socket } of [writer, reader]) socket.close();
});
