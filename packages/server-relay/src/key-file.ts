import { open, link, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Random } from '@keytide/crypto-core';
import { RelayError } from './errors.ts';
import { syncFolder } from './sync-folder.ts';

const KEY_BYTES = 32;
/**
 * Mode bits that no file with a secret may have: anything for others, and writing for the group. A mounted secret is
 * often readable by a group of its own.
 */
export const TOO_OPEN = 0o027;

/** Where a key of the relay is, and whether it may be made there. */
export interface KeyFile {
  readonly path: string;
  /** Whether there is nothing yet that another key would make worthless. */
  readonly isFirstStart: boolean;
}

/**
 * Lends the 32 bytes of a key file to `use`, which must not keep them. At the first start the file is made, for
 * its owner alone, and is on the disk before the key is used. Whoever makes it at the same time gets the same key.
 * @param name the first part of the codes
 * @throws RelayError `…-key-missing` after the first start; `…-key-unusable`: what `use` refuses, a file that is
 * open to others, or one that cannot be read or made
 */
export async function withKeyFile<T>(
  name: 'relay' | 'data',
  random: Random,
  { path, isFirstStart }: KeyFile,
  use: (key: Uint8Array) => T,
): Promise<T> {
  try {
    return await lendKey(name, path, use);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(name, error);
    if (!isFirstStart)
      throw new RelayError(`${name}-key-missing`, `the ${name} key of this relay is not at its place`);
  }
  try {
    await makeKey(random, path);
    return await lendKey(name, path, use);
  } catch (error) {
    throw unusable(name, error);
  }
}

async function lendKey<T>(name: 'relay' | 'data', path: string, use: (key: Uint8Array) => T): Promise<T> {
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & TOO_OPEN) !== 0)
    throw new RelayError(`${name}-key-unusable`, 'the key file is open to others: chmod 600');
  const key = new Uint8Array(await readFile(path));
  try {
    return use(key);
  } finally {
    key.fill(0);
  }
}

/** Written beside its place and linked there whole, so a key that is there is never half of one, and never replaced. */
async function makeKey(random: Random, path: string): Promise<void> {
  const draft = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  const key = random(KEY_BYTES);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(key);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await syncFolder(dirname(path));
  } finally {
    key.fill(0);
    await rm(draft, { force: true });
  }
}

function unusable(name: 'relay' | 'data', cause: unknown): RelayError {
  if (cause instanceof RelayError) return cause;
  return new RelayError(`${name}-key-unusable`, 'the key file cannot be read or made', { cause });
}
