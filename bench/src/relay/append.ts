import { concatBytes, idBytes } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import pg from 'pg';
import { processorClock } from '../clock.ts';
import { contest, type Contestant } from '../contest.ts';
import { contestRows, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { copyIn, copyRows } from './copy.ts';
import { MESSAGE_BYTES } from './crowds/crowd.ts';
import type { Field } from './field.ts';
import { messageFor, openLogStore, type LogStore } from './log-store.ts';

const ORGANISATIONS = 50;
const GROUPS_OF_EACH = 100;
/** Rows of one COPY, and messages of one call. */
const BATCH = 500;
/** Calls under way: more than two lanes can work on. */
const CALLS = 8;
const COPY = 'binary COPY';

/** Appending to many groups with all that is due to a message, beside the fastest way into the same database. */
export async function benchAppend(field: Field, { quick, clock, note }: BenchOptions): Promise<Row[]> {
  note('append over 5,000 groups');
  const count = quick ? 10_000 : 40_000;
  const ours = await openLogStore(field.postgres, 'appends', {
    organisations: ORGANISATIONS,
    groupsOfEach: GROUPS_OF_EACH,
  });
  const client = new pg.Client({ connectionString: await field.postgres.createDatabase('copies') });
  try {
    await client.connect();
    await client.query(
      'create table messages (grp bytea not null, message_id bytea not null, bytes bytea not null)',
    );
    await client.query('alter table messages alter column bytes set storage external');
    await client.query(`create table indexed (org bytea, grp bytea, seq bigint, message_id bytea, bytes bytea,
      primary key (org, grp, seq), unique (org, grp, message_id))`);
    await client.query('alter table indexed alter column bytes set storage external');
    const { now } = clock;
    // The statements run in PostgreSQL, so that its processors count as ours.
    const both = (): number => now() + field.databaseMs();
    const sides = [appending(ours, count), copying(client, count), indexing(client, ours, count)];
    const parts: Parts = {};
    const watched = sides.map((side) => watch(side, field.databaseMs, parts));
    const samples = await contest(watched, {
      rounds: quick ? 2 : 5,
      warmUps: 1,
      now: clock === processorClock ? both : now,
    });
    const work = {
      bench: 'relay',
      work: 'append over 5,000 groups',
      n: count,
      unit: 'messages/s',
      runtime: clock.runtime,
    };
    const valueOf = (ms: number): number => (count / ms) * 1000;
    return [
      ...contestRows(work, samples, { ours: 'keytide', valueOf, goals: { [COPY]: 0.22 } }),
      ...Object.entries(parts).map(([part, ms]) =>
        plainRow(
          { ...work, work: `${work.work}: ${part}, processor time`, unit: 'µs/message' },
          ms.map((one) => (one * 1000) / count),
        ),
      ),
    ];
  } finally {
    await client.end();
    await ours.close();
  }
}

/** Processor time by side and process, in ms, one a round, warm-ups included. */
type Parts = Record<string, number[]>;

/** Says where the processor time of a side went. */
function watch({ name, round }: Contestant, databaseMs: () => number, parts: Parts): Contestant {
  return {
    name,
    round: (time) =>
      round(async (work) => {
        const before = { own: process.cpuUsage(), database: databaseMs() };
        const result = await time(work);
        const { user, system } = process.cpuUsage(before.own);
        (parts[`${name}, this process`] ??= []).push((user + system) / 1000);
        (parts[`${name}, PostgreSQL`] ??= []).push(databaseMs() - before.database);
        return result;
      }),
  };
}

function appending({ groups, queue }: LogStore, count: number): Contestant {
  return {
    name: 'keytide',
    async round(time) {
      const items = Array.from({ length: count }, () =>
        messageFor(groups[Math.floor(Math.random() * groups.length)] as LogStore['groups'][number]),
      );
      await time(async () => {
        let next = 0;
        const work = async (): Promise<void> => {
          while (next < count) {
            const batch = items.slice(next, (next += BATCH));
            for (const verdict of await queue.append(batch))
              if (!('seq' in verdict) || verdict.repeated) throw new Error('a message was not stored');
          }
        };
        await Promise.all(Array.from({ length: CALLS }, work));
      });
    },
  };
}

function copying(client: pg.Client, count: number): Contestant {
  return {
    name: COPY,
    async round(time) {
      const group = random(32);
      const rows = Array.from({ length: count }, () => [group, random(16), random(MESSAGE_BYTES)]);
      const batches: Uint8Array[] = [];
      for (let at = 0; at < count; at += BATCH) batches.push(copyRows(rows.slice(at, at + BATCH)));
      await time(async () => {
        for (const batch of batches) await copyIn(client, 'messages', batch);
      });
    },
  };
}

/** As many rows in as many groups, cut by the database from one byte string, with an index of seqs and one of ids. */
function indexing(client: pg.Client, { groups }: LogStore, count: number): Contestant {
  let seq = 0;
  return {
    name: 'one byte string a batch, two indexes, nothing else',
    async round(time) {
      const batches: Uint8Array[][] = [];
      for (let at = 0; at < count; at += BATCH) {
        const places = Array.from({ length: BATCH }, () => groups[Math.floor(Math.random() * groups.length)]);
        const keys = places.map((place) => {
          const { org, group } = place as LogStore['groups'][number];
          return concatBytes(idBytes(org), idBytes(group), random(16));
        });
        batches.push([concatBytes(...keys), random(BATCH * MESSAGE_BYTES)]);
      }
      await time(async () => {
        for (const [keys, body] of batches) {
          await client.query({ name: 'indexed', text: INDEXED, values: [keys, body, seq] });
          seq += BATCH;
        }
      });
    },
  };
}

/** $1: 32 bytes of organisation, 32 of group and 16 of id for each row. $2: the messages, all of one size. */
const INDEXED = `insert into indexed select substring($1::bytea from n * 80 - 79 for 32),
  substring($1::bytea from n * 80 - 47 for 32), $3::bigint + n, substring($1::bytea from n * 80 - 15 for 16),
  substring($2::bytea from (n - 1) * ${MESSAGE_BYTES} + 1 for ${MESSAGE_BYTES}) from generate_series(1, ${BATCH}) n`;
