import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { orgId, toHex, type OrgId } from '@keytide/crypto-core';
import { blobFolderOf, folderBlobStore } from '../blob-store.ts';
import { RelayError } from '../errors.ts';
import { shortId } from '../log-event.ts';
import { s3BlobStore } from '../s3-blob-store.ts';
import type { SqlRunner } from '../sql/database.ts';
import { relayOptionsOf } from './config-options.ts';
import type { Config } from './config-schema.ts';
import type { Finding } from './finding.ts';
import { openBucket } from './open-blobs.ts';

const OF_AN_ORGANISATION = 3;
const LOOKED_FOR = 100;
const NAMED = 3;

/** What is past its Y and kept, by the last round of the relay. */
export async function heldAttachments(visited: Pick<SqlRunner, 'query'>): Promise<Finding[]> {
  const check = 'retention';
  const [column] = await visited.query(
    `select 1 as one from pg_attribute where attrelid = to_regclass('blob_heads') and attname = 'held_bytes'`,
  );
  if (column === undefined) return [];
  const rows = await visited.query(
    'select org, held_bytes from blob_heads where held_bytes > 0 order by 2 desc',
  );
  if (rows.length === 0) return [{ verdict: 'ok', check, says: 'no attachment is kept beyond its Y' }];
  const mebibytes = Math.ceil(rows.reduce((sum, row) => sum + (row['held_bytes'] as number), 0) / 1_048_576);
  const of = rows
    .slice(0, NAMED)
    .map((row) => shortId(orgId(row['org'] as Uint8Array)))
    .join(', ');
  const says = `${mebibytes} MiB of attachments are kept beyond their Y, of ${rows.length} organisations (${of}): nobody has exported what may name them; they export (keytide export), or waive it`;
  return [{ verdict: 'warn', check, says }];
}

/** Looks for some whole attachments of each organisation where the configuration says that they are. */
export async function storedAttachments(
  visited: Pick<SqlRunner, 'query'>,
  config: Config,
): Promise<Finding[]> {
  const check = 'attachments';
  const { database } = relayOptionsOf(config);
  const [table] = await visited.query(`select to_regclass('blobs') is null as missing`);
  if (database.kind === 'memory' || table?.['missing'] === true) return [];
  const rows = await visited.query(
    `select org, blob, size_bytes from (
       select org, blob, size_bytes, row_number() over (partition by org order by blob) as place
       from blobs where received_bytes = size_bytes) numbered
     where place <= ${OF_AN_ORGANISATION} order by place, org limit ${LOOKED_FOR}`,
  );
  const folder = blobFolderOf(database);
  const gone = new Set<OrgId>();
  let [missing, inFiles] = [0, 0];
  try {
    const bucket = await openBucket(config, process.env);
    const store = bucket === null ? folderBlobStore(folder) : s3BlobStore(bucket);
    for (const row of rows) {
      const blob = { org: orgId(row['org'] as Uint8Array), id: toHex(row['blob'] as Uint8Array) };
      const isThere = await store.read(blob, (row['size_bytes'] as number) - 1, 1).then(
        () => true,
        (error: unknown) => {
          // A service that does not answer has not lost anything.
          if (error instanceof RelayError && error.reason !== null) throw error;
          return false;
        },
      );
      if (isThere) continue;
      missing += 1;
      gone.add(blob.org);
      if (bucket !== null && existsSync(join(folder, blob.org, blob.id))) inFiles += 1;
    }
  } catch {
    return [{ verdict: 'warn', check, says: 'could not be looked for: see s3Bucket' }];
  }
  if (missing === 0) return [{ verdict: 'ok', check, says: `${rows.length} were looked for, and are there` }];
  const of = [...gone].slice(0, NAMED).map(shortId).join(', ');
  const remedy =
    inFiles > 0
      ? `${inFiles} of them are files still: keytide-relay move-blobs`
      : 'were they in another store? See blobFolder, s3Bucket, and the guide on attachments in a bucket';
  const says = `${missing} of ${rows.length} that were looked for are not where the configuration says, of ${of}; ${remedy}`;
  return [{ verdict: 'fail', check, says }];
}
