import { toHex } from '@keytide/crypto-core';
import type { DatabaseOptions } from '../sql/open.ts';
import type { OpenCarrier } from './bus.ts';
import { postgresCarrier } from './postgres-carrier.ts';
import { redisCarrier } from './redis-carrier.ts';

/** What carries wake-ups between the relays of a database; `null` for one that is alone. Relays of one key hear each other. */
export function carrierOf(database: DatabaseOptions, relayKey: Uint8Array): OpenCarrier | null {
  if (database.kind !== 'postgres' || database.cluster === undefined) return null;
  const name = toHex(relayKey.subarray(0, 16));
  const { redisUrl } = database.cluster;
  return redisUrl === undefined
    ? postgresCarrier(database.url, `keytide_${name}`)
    : redisCarrier(redisUrl, `keytide/${name}`);
}
