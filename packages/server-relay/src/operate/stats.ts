import { RelayError } from '../errors.ts';
import type { DatabaseOptions } from '../sql/database-options.ts';
import { visitDatabase } from '../sql/open.ts';

/** How much a relay holds. Counts and nothing that names anybody. */
export interface Stats {
  readonly organisations: number;
  readonly groups: number;
  /** Entries that group logs have had, the expired ones too. */
  readonly entriesEver: number;
  readonly sessions: number;
  readonly blobs: number;
  readonly blobBytes: number;
  readonly databaseBytes: number;
}

/**
 * Counts what is in the database. PostgreSQL can be asked while a relay serves it.
 * @throws RelayError `data-folder-locked` while a relay uses the folder, `database-failed`; `not-found` where there
 * is no database yet
 */
export async function readStats(options: DatabaseOptions): Promise<Stats> {
  const database = await visitDatabase(options);
  if (database === null) throw new RelayError('not-found', 'there is no database yet: serve makes it');
  try {
    const [row] = await database.query(
      `select (select count(*) from organisations) as organisations, (select count(*) from groups) as groups,
         (select coalesce(sum(head_seq), 0)::bigint from groups) as entries_ever,
         (select count(*) from sessions) as sessions, (select count(*) from blobs) as blobs,
         (select coalesce(sum(received_bytes), 0)::bigint from blobs) as blob_bytes,
         pg_database_size(current_database()) as database_bytes`,
    );
    const count = (name: string): number => Number(row?.[name]);
    return {
      organisations: count('organisations'),
      groups: count('groups'),
      entriesEver: count('entries_ever'),
      sessions: count('sessions'),
      blobs: count('blobs'),
      blobBytes: count('blob_bytes'),
      databaseBytes: count('database_bytes'),
    };
  } finally {
    await database.close();
  }
}
