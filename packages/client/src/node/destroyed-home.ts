import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asciiBytes } from '@keytide/crypto-core';
import { replaceFile } from '@keytide/crypto-core/node';

/*
 * The file `wiped` says what has become of a home: `destroying` until all else is gone, then `destroyed`
 * (docs/spec/wipe.md). What is written here comes before or after everything else, so a crash loses nothing of it.
 */
const MARK = 'wiped';
type Mark = 'destroying' | 'destroyed';

/** What a device keeps in its home: the vault first, for without it the rest cannot be read. */
const OURS: readonly RegExp[] = [/^vault(\.new)?$/, /^unlock(\.new)?$/, /\.journal$/, /^blobs$/];

/** Destroys what a device kept in this folder, the vault first. A disk that is too full for the mark keeps nothing. */
export async function destroyHome(home: string): Promise<void> {
  await leave(home, 'destroying').catch(() => null);
  await finish(home);
}

/** Finishes what a crash has left of `destroyHome`. */
export async function finishDestroying(home: string): Promise<void> {
  if ((await mark(home)) === 'destroying') await finish(home);
}

/** Whether what was in this folder was destroyed. */
export async function wasHomeDestroyed(home: string): Promise<boolean> {
  return (await mark(home)) !== null;
}

async function finish(home: string): Promise<void> {
  const names = await readdir(home);
  for (const ours of OURS) for (const name of names) if (ours.test(name)) await destroy(join(home, name));
  await leave(home, 'destroyed');
}

/** Overwritten before it is removed; what else the disk keeps of it is the disk's doing. */
async function destroy(path: string): Promise<void> {
  const file = await open(path, 'r+').catch(() => null);
  try {
    const { size } = (await file?.stat()) ?? { size: 0 };
    for (let at = 0; at < size; at += ZEROS.length)
      await file?.write(ZEROS, 0, Math.min(ZEROS.length, size - at), at);
    await file?.datasync();
  } finally {
    await file?.close();
  }
  await rm(path, { recursive: true, force: true });
}

const ZEROS = new Uint8Array(1024 * 1024);

async function leave(home: string, left: Mark): Promise<void> {
  await replaceFile(join(home, MARK), asciiBytes(left));
}

async function mark(home: string): Promise<Mark | null> {
  try {
    return (await readFile(join(home, MARK), 'utf8')) === 'destroying' ? 'destroying' : 'destroyed';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
