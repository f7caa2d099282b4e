import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Primitives } from '@keytide/crypto-core';
import type { RelayStore } from '../store.ts';
import type { Address } from './address.ts';
import type { Timeline } from '../timeline.ts';
import type { SqlDatabase } from './database.ts';
import { renewFingerprint } from './fingerprint.ts';
import { migrate, readMigrations } from './migrate.ts';
import { openPglite } from './pglite.ts';
import { openPostgres, visitPostgres } from './postgres.ts';
import { sqlRelayStore } from './store.ts';
import { beginServing, settleTimeline } from './timeline.ts';
import { watchFailures } from './watch-failures.ts';

/** Where a relay keeps its data (docs/spec/relay-storage.md) and its key (docs/spec/directory-service.md). */
export type DatabaseOptions =
  /**
   * The embedded default: single-node, survives the end of the process, is not safe against a power cut. The
   * keys are `relay-key` and `data-key` in the folder, blobs in `blobs`.
   */
  | { readonly kind: 'pglite'; readonly folder: string }
  /**
   * For production. `url` as libpq takes it: postgres://user:password@host:port/name; or a function that answers with it,
   * so that another password counts for the connections from then on. The keys are in
   * `keyFile` and `keyFile`.data, which are made at the first start and to be kept like the database;
   * blobs are in `blobFolder`, by default `blobs` beside it.
   */
  | {
      readonly kind: 'postgres';
      readonly url: Address;
      readonly keyFile: string;
      readonly blobFolder?: string;
      /** How long PostgreSQL may take for a statement before it counts as failed. Default 15 seconds. */
      readonly answerMs?: number;
      /** Other relays serve this database too, each with the same keys, the same public URL and the same blobs. */
      readonly cluster?: ClusterOptions;
    }
  /** Embedded and gone when the process ends, key and all: for tests and demonstrations. */
  | { readonly kind: 'memory' };

/** How the relays of one database wake each other. What they know they have from the database. */
export interface ClusterOptions {
  /** Redis 6 or newer, as redis://user:password@host:6379 or rediss://…; without it, PostgreSQL's own notifications. */
  readonly redisUrl?: Address;
}

/** An open store, and how many batches it can usefully work on at once. */
export interface OpenedStore {
  readonly store: RelayStore;
  readonly lanes: number;
  readonly timeline: Timeline;
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
  const database = watchFailures(await openDatabase(options), failed);
  try {
    await migrate(database, primitives, await readMigrations(), nowMs);
    const fingerprints = await renewFingerprint(options, database);
    const { id, changedMs } = await settleTimeline(database, fingerprints);
    await fingerprints.forgetBefore();
    const timeline = { id, changedMs };
    const lanes = Math.max(1, Math.floor(database.connections / 2));
    return {
      store: sqlRelayStore(database),
      lanes,
      timeline,
      async beginServing(ms) {
        timeline.changedMs = await beginServing(database, ms);
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens the database alone. @throws RelayError as `openStore` */
export function openDatabase(options: DatabaseOptions): Promise<SqlDatabase> {
  switch (options.kind) {
    case 'pglite':
      return openPglite(options.folder);
    case 'postgres':
      return openPostgres(
        options.url,
        undefined,
        options.cluster === undefined ? 'alone' : 'node',
        options.answerMs,
      );
    case 'memory':
      return openPglite(null);
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
