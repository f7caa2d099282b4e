import type { Timeline } from '../timeline.ts';
import type { SqlDatabase, SqlRunner } from './database.ts';
import type { Fingerprints } from './fingerprint.ts';
import { endStored } from './sessions.ts';

/** 16 bytes that nobody else has; nothing depends on whether they can be guessed. */
const FRESH = `decode(replace(gen_random_uuid()::text, '-', ''), 'hex')`;

/**
 * The timeline of a database that a relay is about to serve. One whose fingerprint is not what it was gets another
 * timeline, and has no sessions any more: it may have been put back, and those that were ended since live again in it.
 */
export function settleTimeline(
  database: Pick<SqlDatabase, 'transaction'>,
  { before, now }: Pick<Fingerprints, 'before' | 'now'>,
): Promise<Timeline> {
  return database.transaction(async (runner) => {
    await runner.query(
      `insert into relay_state (timeline, fingerprint, changed_ms) values (${FRESH}, $1, 0) on conflict do nothing`,
      [now],
    );
    const [state] = await runner.query('select fingerprint from relay_state for update');
    const recorded = state?.['fingerprint'] as string;
    if (recorded !== now && !before.includes(recorded)) await changeTimeline(runner, now);
    const [row] = await runner.query(
      'update relay_state set fingerprint = $1 returning timeline, changed_ms',
      [now],
    );
    return { id: row?.['timeline'] as Uint8Array, changedMs: row?.['changed_ms'] as number | null };
  });
}

/** Says that a relay serves the database from now on. Answers when the first one did so in a changed timeline; else 0. */
export async function beginServing(database: Pick<SqlDatabase, 'query'>, nowMs: number): Promise<number> {
  const [row] = await database.query(
    'update relay_state set changed_ms = coalesce(changed_ms, $1) returning changed_ms',
    [nowMs],
  );
  return row?.['changed_ms'] as number;
}

/** Begins another timeline, in which nobody is logged in. */
export async function changeTimeline(runner: SqlRunner, fingerprint: string): Promise<void> {
  await runner.query(
    `insert into relay_state (timeline, fingerprint, changed_ms) values (${FRESH}, $1, null)
     on conflict (one) do update
     set timeline = excluded.timeline, fingerprint = excluded.fingerprint, changed_ms = null`,
    [fingerprint],
  );
  await endStored(runner, { of: 'relay' });
}
