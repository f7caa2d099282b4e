import { nodeRandom as random } from '@keytide/crypto-core/node';
import pg from 'pg';
import { processorClock } from '../clock.ts';
import { contest, type Contestant } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { copyIn, copyRows } from './copy.ts';
import { MESSAGE_BYTES } from './crowds/crowd.ts';
import type { Field } from './field.ts';
import { messageFor, openLogStore, type LogStore } from './log-store.ts';

const ORGANISATIONS = 50;
const GROUPS_OF_EACH = 100;
/** Rows of one COPY, and messages of one call. */
const BATCH = 500;
/** Calls under way: two for each of four lanes. */
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
    const { now } = clock;
    // The statements run in PostgreSQL, so that its processors count as ours.
    const both = (): number => now() + field.databaseMs();
    const samples = await contest([appending(ours, count), copying(client, count)], {
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
    return contestRows(work, samples, { ours: 'keytide', valueOf, goals: { [COPY]: 0.22 } });
  } finally {
    await client.end();
    await ours.close();
  }
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
