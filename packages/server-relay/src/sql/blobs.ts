import { deviceId, fromHex, idBytes, orgId, toHex } from '@keytide/crypto-core';
import type { BlobIndex, BlobName } from '../blob-index.ts';
import type { SqlDatabase } from './database.ts';

const VERDICTS = ['started', 'blob-taken', 'quota-exceeded'] as const;

/** The part of the store that knows which blobs there are. */
export function sqlBlobs(database: SqlDatabase): BlobIndex {
  return {
    async startBlob({ device, member, sizeBytes, nowMs, mostBytes, mostBytesOfMember, ...blob }) {
      const [row] = await database.query('select start_blob($1, $2, $3, $4, $5, $6, $7, $8) as verdict', [
        ...keyOf(blob),
        idBytes(device),
        idBytes(member),
        sizeBytes,
        nowMs,
        mostBytes,
        mostBytesOfMember,
      ]);
      return VERDICTS[row?.['verdict'] as number] as (typeof VERDICTS)[number];
    },
    async readBlob(blob) {
      const [row] = await database.query(
        'select device, size_bytes, received_bytes, touched_ms from blobs where org = $1 and blob = $2',
        keyOf(blob),
      );
      if (row === undefined) return null;
      return {
        device: deviceId(row['device'] as Uint8Array),
        sizeBytes: row['size_bytes'] as number,
        receivedBytes: row['received_bytes'] as number,
        touchedMs: row['touched_ms'] as number,
      };
    },
    async growBlob(blob, { from, to, nowMs }) {
      const rows = await database.query(
        // Entries are filed under no earlier day than those before them, whatever the clock says: it is one of them that will name it.
        `update blobs set received_bytes = $4, touched_ms = case when $4 < size_bytes then touched_ms
           else greatest($5::bigint, (select max(day)::bigint * 86400000 from log_days where org = $1)) end
         where org = $1 and blob = $2 and received_bytes = $3 and $4 <= size_bytes returning blob`,
        [...keyOf(blob), from, to, nowMs],
      );
      return rows.length > 0;
    },
    async listBlobOrgs() {
      const rows = await database.query('select org from blob_heads where counted_bytes > 0 order by org');
      return rows.map((row) => orgId(row['org'] as Uint8Array));
    },
    async listOldBlobs(org, { wholeBeforeMs, begunBeforeMs }) {
      const rows = await database.query(
        `select blob from blobs where org = $1
           and touched_ms < case when received_bytes = size_bytes then $2::bigint else $3::bigint end
         order by touched_ms limit 1000`,
        [idBytes(org), wholeBeforeMs, begunBeforeMs],
      );
      return rows.map((row) => ({ org, id: toHex(row['blob'] as Uint8Array) }));
    },
    async sumWhole(org, { fromMs, beforeMs }) {
      const [row] = await database.query(
        `select count(*)::bigint as count, coalesce(sum(size_bytes), 0)::bigint as size_bytes from blobs
         where org = $1 and received_bytes = size_bytes and touched_ms >= $2 and touched_ms < $3`,
        [idBytes(org), fromMs, beforeMs],
      );
      return { count: row?.['count'] as number, sizeBytes: row?.['size_bytes'] as number };
    },
    async noteHeld(org, sizeBytes) {
      await database.query('update blob_heads set held_bytes = $2 where org = $1 and held_bytes <> $2', [
        idBytes(org),
        sizeBytes,
      ]);
    },
    async isDropDue() {
      return (await database.query('select 1 as one from blob_drops')).length > 0;
    },
    async dropDone() {
      await database.query('delete from blob_drops');
    },
    async forgetBlob(blob) {
      await database.query('select forget_blob($1, $2)', keyOf(blob));
    },
  };
}

function keyOf({ org, id }: BlobName): [Uint8Array, Uint8Array] {
  return [idBytes(org), fromHex(id) ?? new Uint8Array()];
}
