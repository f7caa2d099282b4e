import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RelayError } from '../errors.ts';
import { identityOf, type ProcessIdentity } from './process-identity.ts';

/** A data folder that is ours until `release`. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process by a file `keytide.lock` that names it: the embedded database has no
 * lock of its own, and two writers would overwrite each other's rows. The lock of a process that is gone
 * is taken over. It sees the processes of this machine only: never share the folder over a network or
 * between containers.
 * @throws RelayError `data-folder-locked` naming the live owner
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const me = await identityOf(process.pid);
  const mine = `${JSON.stringify(me)}\n`;
  const path = join(folder, 'keytide.lock');
  await take(path, mine);
  return {
    async release() {
      if ((await contentOf(path)) === mine) await rm(path, { force: true });
    },
  };
}

/**
 * Ends with `path` holding `mine`. Creating it is atomic. Replacing the file of a dead owner is allowed
 * only to whoever holds `path.takeover`, taken in the same way, and only if the dead owner is still there.
 */
async function take(path: string, mine: string): Promise<void> {
  const draft = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    for (;;) {
      if (await linked(draft, path)) return;
      const theirs = await contentOf(path);
      if (theirs === null) continue;
      await refuseIfAlive(theirs, path);
      const guard = `${path}.takeover`;
      await take(guard, mine);
      try {
        if ((await contentOf(path)) === theirs) return await rename(draft, path);
      } finally {
        await rm(guard, { force: true });
      }
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function refuseIfAlive(content: string, path: string): Promise<void> {
  const owner = ownerIn(content);
  if (owner === null) throw locked(`${path} is not a lock file of this software; look at it, then remove it`);
  const now = await identityOf(owner.pid);
  if (now === null) return;
  // Without a start time on both sides the number alone decides.
  if (now.started !== '' && owner.started !== '' && now.started !== owner.started) return;
  throw locked(
    `process ${owner.pid} uses this data folder; stop it, or give this relay another folder (${path})`,
  );
}

function locked(message: string): RelayError {
  return new RelayError('data-folder-locked', message);
}

function ownerIn(content: string): ProcessIdentity | null {
  try {
    const { pid, started } = JSON.parse(content) as Record<string, unknown>;
    if (Number.isSafeInteger(pid) && (pid as number) > 0 && typeof started === 'string')
      return { pid: pid as number, started };
    return null;
  } catch {
    return null;
  }
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
