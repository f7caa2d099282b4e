import { idBytes, orgId } from '@keytide/crypto-core';
import type { WrappedKeys } from '../wrapped-keys.ts';
import type { SqlDatabase } from './database.ts';

/** The wrapped keys of a table whose primary key is the organisation and this column. */
export function sqlWrappedKeys(
  database: SqlDatabase,
  table: 'data_keys' | 'day_keys',
  column: 'key_number' | 'day',
): WrappedKeys {
  return {
    async countOthers(wrappingKey) {
      const [row] = await database.query(
        `select count(*)::bigint as others from ${table} where wrapping_key <> $1`,
        [wrappingKey],
      );
      return row?.['others'] as number;
    },
    async listOthers(wrappingKey, after, limit) {
      const rows = await database.query(
        `select org, ${column} as number, wrapping_key, wrapped from ${table}
         where wrapping_key <> $1 and (org, ${column}) > ($2, $3) order by org, ${column} limit $4`,
        [wrappingKey, after === null ? new Uint8Array(0) : idBytes(after.org), after?.number ?? 0, limit],
      );
      return rows.map((row) => ({
        org: orgId(row['org'] as Uint8Array),
        number: row['number'] as number,
        wrappingKey: row['wrapping_key'] as string,
        wrapped: row['wrapped'] as Uint8Array,
      }));
    },
    async replace({ org, number, ...old }, { wrappingKey, wrapped }) {
      const rows = await database.query(
        `update ${table} set wrapping_key = $3, wrapped = $4
         where org = $1 and ${column} = $2 and wrapping_key = $5 and wrapped = $6 returning 1 as one`,
        [idBytes(org), number, wrappingKey, wrapped, old.wrappingKey, old.wrapped],
      );
      return rows.length === 1;
    },
  };
}
