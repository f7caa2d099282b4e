import { join } from 'node:path';
import type { Random } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { withKeyFile } from './key-file.ts';
import { localKeyWrapper, type KeyWrapper } from './key-wrapper.ts';
import type { DatabaseOptions } from './sql/database-options.ts';

/**
 * The wrapping key in a file of 32 bytes.
 * @param mayMake whether a missing file is made: only while nothing is wrapped by another one
 * @throws RelayError `data-key-missing`; `data-key-unusable`: not 32 bytes, open to others, or not to be read or made
 */
export function openDataKeyFile(
  path: string,
  random: Random = nodeRandom,
  mayMake: boolean = false,
): Promise<KeyWrapper> {
  return withKeyFile('data', random, { path, isFirstStart: mayMake }, (key) =>
    localKeyWrapper(nodePrimitives, random, key),
  );
}

/** Where the key file of a database is. */
export function dataKeyPath(database: Exclude<DatabaseOptions, { kind: 'memory' }>): string {
  return database.kind === 'pglite' ? join(database.folder, 'data-key') : `${database.keyFile}.data`;
}
