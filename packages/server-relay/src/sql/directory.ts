import { concatBytes, deviceId, idBytes, type OrgId } from '@keytide/crypto-core';
import { TILE_WIDTH } from '@keytide/key-directory/verify';
import { LIMITS } from '@keytide/relay-protocol';
import type { DirectoryStore, LogGrowth, StoredCheckpoint, StoredCosignature } from '../directory-store.ts';
import { integerArray, startsOf, type SqlDatabase, type SqlRow, type SqlRunner } from './database.ts';
import { sqlSealingRecords } from './sealing-records.ts';

/** Checkpoints whose cosignatures are kept; of the others only what is a device's newest. */
const COSIGNED_CHECKPOINTS = 64;
/** A note has at most 100 signatures, and one is the log's own. */
const COSIGNATURES_OF_A_NOTE = 99;
const HASH_BYTES = 32;

/** The part of the store that keeps what membership logs are proved by. */
export function sqlDirectory(database: SqlDatabase): DirectoryStore {
  async function readCheckpoint(
    org: OrgId,
    which: number | 'newest' | 'witnessed',
  ): Promise<StoredCheckpoint | null> {
    const rows = await database.query(
      `select c.log_size, c.note, s.device, s.key_id, s.time_seconds, s.signature
         from (${CHECKPOINTS[typeof which === 'number' ? 'sized' : which]}) c
         left join cosignatures s on s.org = $1 and s.log_size = c.log_size
         order by s.time_seconds desc, s.device limit ${COSIGNATURES_OF_A_NOTE}`,
      typeof which === 'number' ? [idBytes(org), which] : [idBytes(org)],
    );
    const [first] = rows;
    if (first === undefined) return null;
    const cosignatures = rows.filter((row) => row['device'] !== null).map(cosignatureIn);
    return { size: first['log_size'] as number, note: first['note'] as Uint8Array, cosignatures };
  }

  return {
    ...sqlSealingRecords(database),
    readCheckpoint,
    async readCosigned(org) {
      const rows = await database.query(
        `select distinct log_size from (
           select distinct on (device) log_size from cosignatures where org = $1 order by device, log_size desc
         ) newest order by log_size desc limit ${LIMITS.cosignedNotes}`,
        [idBytes(org)],
      );
      const found = await Promise.all(rows.map((row) => readCheckpoint(org, row['log_size'] as number)));
      return found.flatMap((checkpoint) => checkpoint ?? []);
    },
    async putCosignature(org, size, { device, keyId, timeSeconds, signature }) {
      await database.query(
        `insert into cosignatures as old values ($1, $2, $3, $4, $5, $6)
         on conflict (org, log_size, device) do update
         set key_id = excluded.key_id, time_seconds = excluded.time_seconds, signature = excluded.signature
         where old.time_seconds < excluded.time_seconds`,
        [idBytes(org), size, idBytes(device), keyId, timeSeconds, signature],
      );
      await database.query(
        `delete from cosignatures old where org = $1 and log_size <= (
           select log_size from (select distinct log_size from cosignatures where org = $1) cosigned
           order by log_size desc offset ${COSIGNED_CHECKPOINTS} limit 1
         ) and exists (
           select from cosignatures newer
           where newer.org = old.org and newer.device = old.device and newer.log_size > old.log_size
         )`,
        [idBytes(org)],
      );
    },
    async readTile(org, { level, index, width }) {
      const [row] = await database.query(
        `select string_agg(hash, '' order by place) as hashes from tree_hashes
         where org = $1 and level = $2 and place >= $3 and place < $4`,
        [idBytes(org), level, index * TILE_WIDTH, index * TILE_WIDTH + width],
      );
      const hashes = (row?.['hashes'] ?? null) as Uint8Array | null;
      return hashes?.length === width * HASH_BYTES ? hashes : null;
    },
    async readBundle(org, { index, width }) {
      const start = index * TILE_WIDTH;
      const rows = await database.query(
        `select wire from log_entries where org = $1 and entry_index >= $2 and entry_index < $3
         order by entry_index`,
        [idBytes(org), start, start + width],
      );
      return rows.length === width ? rows.map((row) => row['wire'] as Uint8Array) : null;
    },
    async readWays(org, root, keys) {
      const rows = await database.query('select * from map_ways($1, $2, $3)', [
        idBytes(org),
        root,
        concatBytes(...keys),
      ]);
      return rows.map((row) => ({
        hash: row['out_hash'] as Uint8Array,
        bytes: row['out_bytes'] as Uint8Array,
      }));
    },
  };
}

/**
 * Adds an entry and its growth inside somebody's transaction. `createdMs` starts a log. False, and nothing
 * done, when the log has another size.
 */
export async function addEntry(
  runner: Pick<SqlRunner, 'query'>,
  { org, index, wire }: { org: OrgId; index: number; wire: Uint8Array },
  { hashes, nodes, checkpoint }: LogGrowth,
  createdMs: number | null,
): Promise<boolean> {
  const sizes = nodes.map(({ bytes }) => bytes.length);
  const [row] = await runner.query(
    'select append_log_entry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as done',
    [
      idBytes(org),
      index,
      wire,
      checkpoint,
      createdMs,
      integerArray(hashes.map(({ level }) => level)),
      integerArray(hashes.map(({ place }) => place)),
      concatBytes(...hashes.map(({ hash }) => hash)),
      concatBytes(...nodes.map(({ hash }) => hash)),
      integerArray(startsOf(sizes)),
      integerArray(sizes),
      concatBytes(...nodes.map(({ bytes }) => bytes)),
    ],
  );
  return row?.['done'] === true;
}

const CHECKPOINTS = {
  sized: 'select log_size, note from checkpoints where org = $1 and log_size = $2',
  newest: 'select log_size, note from checkpoints where org = $1 order by log_size desc limit 1',
  witnessed: `select log_size, note from checkpoints where org = $1
    and log_size = (select max(log_size) from cosignatures where org = $1)`,
} as const;

function cosignatureIn(row: SqlRow): StoredCosignature {
  return {
    device: deviceId(row['device'] as Uint8Array),
    keyId: row['key_id'] as number,
    timeSeconds: row['time_seconds'] as number,
    signature: row['signature'] as Uint8Array,
  };
}
