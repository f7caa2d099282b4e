import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseOptions } from '@keytide/server-relay';
import { startPostgres } from '@keytide/testkit';

/** Somewhere for a relay to keep its data, and how to be rid of it. */
export interface TestDatabase {
  readonly database: DatabaseOptions;
  remove(): Promise<void>;
}

/** The embedded database, in a temporary folder. */
export async function openPglite(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { database: { kind: 'pglite', folder }, remove };
}

/** A PostgreSQL of our own; only the relay on it is killed. */
export async function openPostgres(): Promise<TestDatabase> {
  const postgres = await startPostgres();
  const url = await postgres.createDatabase('relay');
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  return {
    database: { kind: 'postgres', url, keyFile: join(folder, 'relay-key') },
    async remove() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
