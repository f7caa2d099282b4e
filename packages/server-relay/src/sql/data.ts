import { idBytes } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { AtRestBytes, DataStore, StoredDocument } from '../data-store.ts';
import type { SqlDatabase, SqlRow } from './database.ts';
import { sqlWrappedKeys } from './wrapped-keys.ts';

const VERDICTS = ['stored', 'version-conflict', 'quota-exceeded'] as const;

/** A page ends at the document that passes this, so with one it stays below 1.1 MiB. */
const PAGE_BYTES = 1_048_576;

/** The part of the store that keeps an organisation's own data. */
export function sqlData(database: SqlDatabase): DataStore {
  return {
    async readDataKeys(org) {
      const rows = await database.query(
        'select key_number, wrapping_key, wrapped from data_keys where org = $1 order by key_number',
        [idBytes(org)],
      );
      return rows.map((row) => ({
        number: row['key_number'] as number,
        wrappingKey: row['wrapping_key'] as string,
        wrapped: row['wrapped'] as Uint8Array,
      }));
    },
    async addDataKey(org, { number, wrappingKey, wrapped }) {
      await database.query('insert into data_keys values ($1, $2, $3, $4) on conflict do nothing', [
        idBytes(org),
        number,
        wrappingKey,
        wrapped,
      ]);
    },
    async wrappingKeys() {
      const rows = await database.query(
        'select wrapping_key from data_keys union select wrapping_key from day_keys',
      );
      return rows.map((row) => row['wrapping_key'] as string);
    },
    wrappedDataKeys: sqlWrappedKeys(database, 'data_keys', 'key_number'),
    async readDocument(org, document) {
      const [row] = await database.query(
        'select document, version, seq, key_number, sealed from documents where org = $1 and document = $2',
        [idBytes(org), document],
      );
      return row === undefined ? null : documentIn(row);
    },
    async putDocument({ org, collection, document, version, keyNumber, sealed, most }) {
      const [row] = await database.query('select put_document($1, $2, $3, $4, $5, $6, $7) as verdict', [
        idBytes(org),
        collection,
        document,
        version,
        keyNumber,
        sealed,
        most,
      ]);
      return VERDICTS[row?.['verdict'] as number] as (typeof VERDICTS)[number];
    },
    async listDocuments(org, collection, afterSeq) {
      const rows = await database.query(
        `select * from (
           select document, version, seq, key_number, sealed,
                  sum(octet_length(sealed)) over (order by seq) - octet_length(sealed) as before
           from (select * from documents where org = $1 and collection = $2 and seq > $3
                 order by seq limit ${LIMITS.documentPage + 1}) page
         ) sized order by seq`,
        [idBytes(org), collection, afterSeq],
      );
      const fitting = rows.filter((row) => Number(row['before']) < PAGE_BYTES);
      const documents = fitting.slice(0, LIMITS.documentPage).map(documentIn);
      return { documents, more: rows.length > documents.length };
    },
    async putSystemValue({ org, device, collection }, { keyNumber, sealed }) {
      await database.query(
        `insert into system_values values ($1, $2, $3, $4, $5) on conflict (org, device, collection)
         do update set key_number = excluded.key_number, sealed = excluded.sealed`,
        [idBytes(org), idBytes(device), collection, keyNumber, sealed],
      );
    },
    async clearSystemValue({ org, device, collection }) {
      await database.query('delete from system_values where org = $1 and device = $2 and collection = $3', [
        idBytes(org),
        idBytes(device),
        collection,
      ]);
    },
    async readSystemValue({ org, device, collection }) {
      const [row] = await database.query(
        'select key_number, sealed from system_values where org = $1 and device = $2 and collection = $3',
        [idBytes(org), idBytes(device), collection],
      );
      return row === undefined ? null : atRestIn(row);
    },
  };
}

function documentIn(row: SqlRow): StoredDocument {
  return {
    document: row['document'] as Uint8Array,
    version: row['version'] as number,
    seq: row['seq'] as number,
    ...atRestIn(row),
  };
}

function atRestIn(row: SqlRow): AtRestBytes {
  return { keyNumber: row['key_number'] as number, sealed: row['sealed'] as Uint8Array };
}
