import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Primitives } from '@keytide/crypto-core';
import type { RelayStore } from '../store.ts';
import type { Timeline } from '../timeline.ts';
import type { ClockDoubt } from '../clock-watch.ts';
import { sqlClockDoubt } from './clock-doubt.ts';
import type { SqlDatabase } from './database.ts';
import type { DatabaseOptions } from './database-options.ts';
import { renewFingerprint } from './fingerprint.ts';
import { migrate, readMigrations } from './migrate.ts';
import { openInMemory, openPglite } from './pglite.ts';
import { openPostgres, visitPostgres } from './postgres.ts';
import { sqlRelayStore } from './store.ts';
import { beginServing, settleTimeline } from './timeline.ts';
import { watchFailures } from './watch-failures.ts';

/**
 * One is filled while the other's commit is waited for. More of them make more and smaller batches out of the same
 * messages, and a batch costs the database as much as a dozen messages.
 */
const LANES = 2;

/** An open store, and how many batches it can usefully work on at once. */
export interface OpenedStore {
  readonly store: RelayStore;
  readonly lanes: number;
  readonly timeline: Timeline;
  readonly clockDoubt: ClockDoubt;
  /** To be called once the relay listens: what a changed timeline makes wait, waits from the first time on. */
  beginServing(nowMs: number): Promise<void>;
}

/**
 * Opens the database, brings it up to the newest migration and puts the store on top. `failed` hears of every
 * statement that fails.
 * @throws RelayError `data-folder-locked`, `database-failed`, `database-newer`, `migration-changed`
 */
export async function openStore(
  options: DatabaseOptions,
  primitives: Primitives,
  nowMs: number,
  failed: () => void = () => undefined,
): Promise<OpenedStore> {
  const migrations = await readMigrations();
  const upToDate = (opened: SqlDatabase) => migrate(opened, primitives, migrations, nowMs);
  const database = watchFailures(await openDatabase(options, upToDate), failed);
  try {
    await upToDate(database);
    const fingerprints = await renewFingerprint(options, database);
    const { id, changedMs } = await settleTimeline(database, fingerprints);
    await fingerprints.forgetBefore();
    const timeline = { id, changedMs };
    const lanes = Math.min(LANES, database.connections);
    return {
      store: sqlRelayStore(database),
      lanes,
      timeline,
      clockDoubt: sqlClockDoubt(database),
      async beginServing(ms) {
        timeline.changedMs = await beginServing(database, ms);
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens the database alone. `prepare` makes the template of one in memory. @throws RelayError as `openStore` */
export function openDatabase(
  options: DatabaseOptions,
  prepare: ((database: SqlDatabase) => Promise<unknown>) | null = null,
): Promise<SqlDatabase> {
  switch (options.kind) {
    case 'pglite':
      return openPglite(options.folder, options.template ?? null);
    case 'postgres':
      return openPostgres(
        options.url,
        undefined,
        options.cluster === undefined ? 'alone' : 'node',
        options.answerMs,
      );
    case 'memory':
      return openInMemory(options.template ?? null, prepare);
  }
}

/**
 * Opens what a relay has made, to look at it: a PostgreSQL database also while a relay serves it. `null` for a
 * folder without a database yet.
 * @throws RelayError `data-folder-locked` while a relay uses the folder, `database-failed`
 */
export async function visitDatabase(options: DatabaseOptions): Promise<SqlDatabase | null> {
  if (options.kind === 'postgres') return visitPostgres(options.url);
  if (options.kind === 'pglite' && !existsSync(join(options.folder, 'postgres'))) return null;
  return openDatabase(options);
}
