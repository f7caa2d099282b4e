import { open, link, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Primitives, Random, Signer } from '@keytide/crypto-core';
import { RelayError } from './errors.ts';

const SEED_BYTES = 32;
/** Anything for others, and writing for the group: a mounted secret is often readable by a group of its own. */
const TOO_OPEN = 0o027;

/** Where the relay's key is, and whether it may be made there. */
export interface RelayKeyFile {
  readonly path: string;
  /** Whether this relay holds no log yet. With another key, it would be taken for another relay. */
  readonly isFirstStart: boolean;
}

/**
 * The relay's Ed25519 key, which signs the checkpoints of every log it holds: from the 32-byte seed in a file,
 * which is made at the first start, for its owner alone, and is on the disk before the key is used. Whoever
 * makes it at the same time gets the same key.
 * @throws RelayError `relay-key-missing` after the first start; `relay-key-unusable`: not 32 bytes, open to
 * others, or not to be read or made
 */
export async function openRelayKey(
  primitives: Primitives,
  random: Random,
  { path, isFirstStart }: RelayKeyFile,
): Promise<Signer> {
  try {
    return await readKey(primitives, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(error);
    if (!isFirstStart)
      throw new RelayError('relay-key-missing', 'the key that signed the logs of this relay is not there');
  }
  try {
    await makeKey(random, path);
    return await readKey(primitives, path);
  } catch (error) {
    throw unusable(error);
  }
}

async function readKey(primitives: Primitives, path: string): Promise<Signer> {
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & TOO_OPEN) !== 0)
    throw new RelayError('relay-key-unusable', 'the key file is open to others: chmod 600');
  const seed = new Uint8Array(await readFile(path));
  try {
    // Refuses what is not 32 bytes.
    return primitives.signer(seed);
  } finally {
    seed.fill(0);
  }
}

/** Written beside its place and linked there whole, so a key that is there is never half of one, and never replaced. */
async function makeKey(random: Random, path: string): Promise<void> {
  const draft = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  const seed = random(SEED_BYTES);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(seed);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await syncFolder(dirname(path));
  } finally {
    seed.fill(0);
    await rm(draft, { force: true });
  }
}

/** Makes the name durable, where a folder can be opened. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unusable(cause: unknown): RelayError {
  if (cause instanceof RelayError) return cause;
  return new RelayError('relay-key-unusable', 'the key file cannot be read or made', { cause });
}
