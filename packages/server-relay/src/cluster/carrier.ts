import { toHex } from '@keytide/crypto-core';
import type { DatabaseOptions } from '../sql/database-options.ts';
import type { OpenCarrier } from './bus.ts';
import { postgresCarrier } from './postgres-carrier.ts';

/** What carries wake-ups between the relays of a database; `null` for one that is alone. Relays of one key hear each other. */
export async function carrierOf(
  database: DatabaseOptions,
  relayKey: Uint8Array,
): Promise<OpenCarrier | null> {
  if (database.kind !== 'postgres' || database.cluster === undefined) return null;
  const name = toHex(relayKey.subarray(0, 16));
  const { redisUrl } = database.cluster;
  if (redisUrl === undefined) return postgresCarrier(database.url, `keytide_${name}`);
  // Its client takes longer to load than most of what a relay without Redis does at its start.
  const { redisCarrier } = await import('./redis-carrier.ts');
  return redisCarrier(redisUrl, `keytide/${name}`);
}
