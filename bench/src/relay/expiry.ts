import pg from 'pg';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { forgetOver } from '../../../packages/server-relay/src/expiry.ts';
import { keepTrees } from '../../../packages/server-relay/src/keep-trees.ts';
import { processorClock } from '../clock.ts';
import { comparedRow, plainRow, type BenchOptions, type Row } from '../rows.ts';
import type { Field } from './field.ts';
import { messageFor, openLogStore, type LogStore } from './log-store.ts';

const GROUPS = 100;
const BATCH = 500;
const CALLS = 8;
const DAY_MS = 86_400_000;

/** What it cost to be rid of something. */
interface Cost {
  readonly ms: number;
  readonly walBytes: number;
}

/** A day of an organisation is over, and as much as that stays: by forgetting its key and tables, and by DELETE. */
export async function benchExpiry(field: Field, options: BenchOptions): Promise<Row[]> {
  const { quick, note } = options;
  const count = quick ? 50_000 : 1_000_000;
  note(`expiry: ${count.toLocaleString('en')} messages come, and as many rows that stay`);
  const ours = await openLogStore(field.postgres, 'expiry', { organisations: 1, groupsOfEach: GROUPS });
  const client = new pg.Client({ connectionString: ours.url });
  try {
    await client.connect();
    await fill(ours, count);
    note('expiry: the day is over, and its trees are kept');
    // As it does by itself while rows come: whoever reads a page first would write it to the log.
    await client.query('vacuum');
    const kept = await measure(client, options, field, () => keep(ours));
    await stay(client, count);
    note('expiry: DELETE and VACUUM');
    const deleted = await measure(client, options, field, () => deleteAll(client));
    note('expiry: ours');
    const forgotten = await measure(client, options, field, () => forget(ours));
    await assertGone(client);
    return rowsOf(count, { deleted, forgotten, kept }, options);
  } finally {
    await client.end();
    await ours.close();
  }
}

/** As they come in: in order, sealed, each with its id. */
async function fill({ groups, queue }: LogStore, count: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const batch = Array.from({ length: Math.min(BATCH, count - next) }, (_, i) =>
        messageFor(groups[(next + i) % GROUPS] as LogStore['groups'][number]),
      );
      next += batch.length;
      await queue.append(batch);
    }
  };
  await Promise.all(Array.from({ length: CALLS }, work));
}

/** Rows of a later day in the same table of tables, and all of it once more in a table as one would make it. */
async function stay(client: pg.Client, count: number): Promise<void> {
  await client.query(`
    create table plain (grp bytea not null, seq bigint not null, day int not null, bytes bytea not null);
    alter table plain alter column bytes set storage external;
    insert into plain select grp, seq, day, bytes from entries;
    insert into plain select e.grp, e.seq + g.head_seq, e.day + 1, e.bytes from entries e join groups g using (org, grp);
    alter table plain add primary key (grp, seq);
    create index on plain (day);
    select make_day(class, day + 1) from (select distinct class, day from entries) days;
    insert into entries (org, grp, seq, kind, message_id, bytes, class, day)
      select org, grp, e.seq + g.head_seq, kind, message_id, bytes, e.class, e.day + 1
      from entries e join groups g using (org, grp);
    insert into log_days select org, grp, head_seq + 1, day + 1, class from groups;
    update groups set head_seq = 2 * head_seq, day = day + 1;
  `);
  await client.query('vacuum analyze');
  const { rows } = await client.query<{ rows: string }>('select count(*) as rows from plain');
  if (Number(rows[0]?.rows) < 2 * count) throw new Error('not filled');
}

async function deleteAll(client: pg.Client): Promise<void> {
  await client.query('delete from plain where day = (select min(day) from plain)');
  await client.query('vacuum plain');
}

/** What a relay does in the background once a day is over. */
async function keep({ store, logs, clock }: LogStore): Promise<void> {
  clock.nowMs += DAY_MS;
  await keepTrees({ store, logs, clock, primitives, failed: rethrow, signal: new AbortController().signal });
}

/** All that a relay does, with the clock Y later. */
async function forget({ store, logs, keys, clock, retention, groups }: LogStore): Promise<void> {
  clock.nowMs += DAY_MS;
  const retentionOf = (): Promise<typeof retention> => Promise.resolve(retention);
  const gone = await forgetOver({ store, keys, clock, logs, retentionOf, failed: rethrow });
  if (gone.length !== groups.length) throw new Error('not everything was forgotten');
}

function rethrow(_org: unknown, error: unknown): never {
  throw error;
}

/** The key is gone, and so is its table. */
async function assertGone(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ keys: number; days: number }>(
    'select (select count(*)::int from day_keys) as keys, (select count(distinct day)::int from entries) as days',
  );
  if (rows[0]?.days !== 1) throw new Error(`not gone: ${JSON.stringify(rows[0])}`);
}

async function measure(
  client: pg.Client,
  { clock }: BenchOptions,
  { databaseMs }: Field,
  work: () => Promise<void>,
): Promise<Cost> {
  // What is written after it does not depend on when the last one was.
  await client.query('checkpoint');
  const place = async (): Promise<number> => {
    const { rows } = await client.query<{ at: string }>(
      "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as at",
    );
    return Number(rows[0]?.at);
  };
  const now = (): number => clock.now() + (clock === processorClock ? databaseMs() : 0);
  const before = await place();
  const startMs = now();
  await work();
  return { ms: now() - startMs, walBytes: (await place()) - before };
}

function rowsOf(
  count: number,
  { deleted, forgotten, kept }: { deleted: Cost; forgotten: Cost; kept: Cost },
  { clock }: BenchOptions,
): Row[] {
  const against = 'DELETE and VACUUM';
  const work = { bench: 'relay', work: 'expiry', n: count, unit: 's', runtime: clock.runtime };
  const wal = { ...work, work: 'expiry: write-ahead log', unit: 'MB' };
  const named = (of: typeof work, name: string): typeof work => ({ ...of, work: `${of.work}: ${name}` });
  return [
    comparedRow(plainRow(work, [forgotten.ms / 1000]), against, deleted.ms / forgotten.ms, 5),
    comparedRow(
      plainRow(wal, [forgotten.walBytes / 1e6]),
      against,
      deleted.walBytes / forgotten.walBytes,
      250,
    ),
    plainRow(named(work, 'long before, in the background: its trees'), [kept.ms / 1000]),
    plainRow(named(wal, 'long before, in the background: its trees'), [kept.walBytes / 1e6]),
    plainRow(named(work, against), [deleted.ms / 1000]),
    plainRow(named(wal, against), [deleted.walBytes / 1e6]),
  ];
}
