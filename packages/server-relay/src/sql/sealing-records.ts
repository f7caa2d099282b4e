import { deviceId, idBytes } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { DirectoryStore, StoredSealingRecord } from '../directory-store.ts';
import type { SqlDatabase, SqlRow } from './database.ts';

/** Sealing records of a device that are kept. */
const KEPT = 4;

/** The part of the store that keeps sealing records. */
export function sqlSealingRecords(
  database: SqlDatabase,
): Pick<DirectoryStore, 'readSealingRecords' | 'addSealingRecord' | 'listSealingRecords'> {
  return {
    async readSealingRecords(org, device) {
      const rows = await database.query(
        'select seq, device, wire from sealing_records where org = $1 and device = $2 order by seq',
        [idBytes(org), idBytes(device)],
      );
      return rows.map(recordIn);
    },
    async addSealingRecord({ org, device, wire, afterSeq }) {
      const [row] = await database.query('select add_sealing_record($1, $2, $3, $4, $5) as seq', [
        idBytes(org),
        idBytes(device),
        wire,
        afterSeq,
        KEPT,
      ]);
      return (row?.['seq'] ?? null) as number | null;
    },
    async listSealingRecords(org, afterSeq) {
      const rows = await database.query(
        `select seq, device, wire from sealing_records where org = $1 and seq > $2
         order by seq limit ${LIMITS.sealingPageRecords + 1}`,
        [idBytes(org), afterSeq],
      );
      const records = rows.slice(0, LIMITS.sealingPageRecords).map(recordIn);
      return { records, more: rows.length > records.length };
    },
  };
}

function recordIn(row: SqlRow): StoredSealingRecord {
  return {
    seq: row['seq'] as number,
    device: deviceId(row['device'] as Uint8Array),
    wire: row['wire'] as Uint8Array,
  };
}
