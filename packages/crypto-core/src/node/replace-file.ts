import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a file so that after a crash, or a power cut, there is either the old one or the new one, whole.
 * Resolves when the new one is durable. Mode 0600. One writer at a time: the caller holds a lock.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true }); // left by a crash
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncDirectory(dirname(path));
}

/** As `replaceFile`; then the bytes that were there are overwritten, as far as the file system writes in place. */
export async function replaceAndErase(path: string, bytes: Uint8Array): Promise<void> {
  const old = await open(path, 'r+').catch(() => null);
  try {
    await replaceFile(path, bytes);
    if (old === null) return;
    const { size } = await old.stat();
    await old.write(new Uint8Array(size), 0, size, 0);
    await old.sync();
  } finally {
    await old?.close();
  }
}

/** A rename is durable only with its directory. Windows has no such call, and needs none. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
