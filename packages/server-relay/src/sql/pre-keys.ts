import { concatBytes, idBytes } from '@keytide/crypto-core';
import type { PreKeyStore } from '../pre-key-store.ts';
import { integerArray, startsOf, type SqlDatabase, type SqlRunner } from './database.ts';

/** The part of the store that keeps pre-keys. */
export function sqlPreKeys(database: SqlDatabase): PreKeyStore {
  return {
    async putPreKeys({ org, device, bundle, oneTime, replacesAll, expiresMs, most }) {
      const sizes = oneTime.map((pair) => pair.length);
      const [row] = await database.query('select put_pre_keys($1, $2, $3, $4, $5, $6, $7, $8, $9) as kept', [
        idBytes(org),
        idBytes(device),
        bundle,
        expiresMs,
        replacesAll ? 1 : 0,
        concatBytes(...oneTime),
        integerArray(startsOf(sizes)),
        integerArray(sizes),
        most,
      ]);
      return row?.['kept'] === 1;
    },
    async countPreKeys(org, device, nowMs) {
      const [row] = await database.query(
        `select (select count(*)::int from one_time_pre_keys o where o.org = b.org and o.device = b.device) as pairs
         from pre_key_bundles b where b.org = $1 and b.device = $2 and b.expires_ms > $3`,
        [idBytes(org), idBytes(device), nowMs],
      );
      return row === undefined ? null : (row['pairs'] as number);
    },
    async takePreKeys(org, device, nowMs) {
      const [row] = await database.query('select * from take_pre_keys($1, $2, $3)', [
        idBytes(org),
        idBytes(device),
        nowMs,
      ]);
      if (row === undefined) return null;
      return { bundle: row['bundle'] as Uint8Array, oneTime: row['one_time'] as Uint8Array | null };
    },
  };
}

/** Forgets the pre-keys of a device, inside somebody's transaction. */
export async function forgetPreKeys(runner: SqlRunner, org: Uint8Array, device: Uint8Array): Promise<void> {
  for (const table of ['pre_key_bundles', 'one_time_pre_keys'])
    await runner.query(`delete from ${table} where org = $1 and device = $2`, [org, device]);
}

/** Forgets bundles that were over before `nowMs`, and pairs that were kept as long ago. */
export async function forgetOldPreKeys(database: SqlDatabase, nowMs: number): Promise<void> {
  for (const table of ['pre_key_bundles', 'one_time_pre_keys'])
    await database.query(`delete from ${table} where expires_ms < $1`, [nowMs]);
}
