import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseOptions } from '@keytide/server-relay';
import { addressNow } from '../../packages/server-relay/src/sql/address.ts';
import { folderDatabase, startPostgres, type TestPostgres } from '@keytide/testkit';

/** Somewhere for a relay to keep its data, and how to be rid of it. */
export interface TestDatabase {
  readonly database: DatabaseOptions;
  remove(): Promise<void>;
}

/** Where its PostgreSQL is. @throws Error when it has none */
export function urlOf({ database }: Pick<TestDatabase, 'database'>): string {
  if (database.kind !== 'postgres') throw new Error('not PostgreSQL');
  return addressNow(database.url);
}

/** The embedded database, in a temporary folder. */
export async function openPglite(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { database: folderDatabase(folder), remove };
}

/** A PostgreSQL of our own; only the relay on it is killed. */
export async function openPostgres(
  walSegmentMiB?: number,
): Promise<TestDatabase & Pick<TestPostgres, 'restart'>> {
  const postgres = await startPostgres(walSegmentMiB);
  const url = await postgres.createDatabase('relay');
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  return {
    database: { kind: 'postgres', url, keyFile: join(folder, 'relay-key') },
    restart: () => postgres.restart(),
    async remove() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
