import { join } from 'node:path';
import type { Random, Signer } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { dataKeyPath, openDataKeyFile } from './data-key-file.ts';
import { RelayError } from './errors.ts';
import { localKeyWrapper, type KeyWrapper } from './key-wrapper.ts';
import { checkKeyWrapper } from './keys/check-key-wrapper.ts';
import type { RelayOptions } from './relay.ts';
import { openRelayKey } from './relay-key.ts';
import type { DatabaseOptions } from './sql/database-options.ts';
import type { RelayStore } from './store.ts';

/** Where the relay's key is. */
export function relayKeyPath(database: Exclude<DatabaseOptions, { kind: 'memory' }>): string {
  return database.kind === 'pglite' ? join(database.folder, 'relay-key') : database.keyFile;
}

/**
 * The key that the relay signs with: made at its first start.
 * @throws RelayError `relay-key-missing`, `relay-key-unusable`
 */
export async function openSigner(
  database: DatabaseOptions,
  random: Random,
  store: RelayStore,
): Promise<Signer> {
  if (database.kind === 'memory') return nodePrimitives.signer(random(32));
  const path = relayKeyPath(database);
  return openRelayKey(nodePrimitives, random, { path, isFirstStart: !(await store.hasOrganisations()) });
}

/**
 * What wraps the data keys: what was given, or the key file beside the database, made at its first start.
 * @throws RelayError `data-key-missing`, also when the key there is not the one that wraps what is stored;
 * `data-key-unusable`, `key-service-failed`, `key-service-refused`
 */
export async function openWrapper(
  { database, keyWrapper }: Pick<RelayOptions, 'database' | 'keyWrapper'>,
  random: Random,
  store: RelayStore,
): Promise<KeyWrapper> {
  if (keyWrapper !== undefined) {
    await checkWrapper(keyWrapper, random, store);
    return keyWrapper;
  }
  const names = await store.wrappingKeys();
  const ofDatabase = async (): Promise<KeyWrapper> =>
    database.kind === 'memory'
      ? localKeyWrapper(nodePrimitives, random, random(32))
      : openDataKeyFile(dataKeyPath(database), random, names.length === 0);
  const wrapper = await ofDatabase();
  requireAll(wrapper, names);
  return wrapper;
}

/**
 * That a wrapper unwraps what is stored, and gives back what it wraps.
 * @throws RelayError `data-key-missing`, `data-key-unusable`, `key-service-failed`, `key-service-refused`
 */
export async function checkWrapper(wrapper: KeyWrapper, random: Random, store: RelayStore): Promise<void> {
  requireAll(wrapper, await store.wrappingKeys());
  await checkKeyWrapper(wrapper, random);
}

function requireAll(wrapper: KeyWrapper, names: readonly string[]): void {
  if (names.some((name) => !wrapper.unwraps(name)))
    throw new RelayError('data-key-missing', 'the data key at its place is not the one that was used before');
}
