import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CryptoError } from '@keytide/crypto-core';
import { acquireVaultLock, nodeRandom } from '@keytide/crypto-core/node';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Where no file can be made beside the folder, or none can be linked, there is no lock. */
const NO_LOCKS: ReadonlySet<unknown> = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOSPC', 'EDQUOT', 'EINVAL'],
]);

/**
 * Works while nobody else of this machine writes to a folder: `FOLDER.lock` beside it names the process. The lock of a
 * process that is gone, after a crash or a reboot, is taken over.
 * @throws CliError `place-in-use`; what `work` throws
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = `${resolve(folder)}.lock`;
  const inUse = lockedBy('place-in-use', 'another keytide is writing there', {
    ...{ path, next: 'Wait until it is done.' },
  });
  return await withLock(path, inUse, work);
}

/**
 * Works while no other agent does so with the device of this home, in the same way.
 * @throws CliError `agent-running`; what `work` throws
 */
export async function withAgentLock<T>(home: string, work: () => Promise<T>): Promise<T> {
  const path = resolve(home, 'agent.lock');
  const inUse = lockedBy('agent-running', 'another agent works with this device', {
    ...{ path, next: 'Stop it first: a service by `systemctl stop`.' },
  });
  return await withLock(path, inUse, work);
}

async function withLock<T>(path: string, inUse: CliError, work: () => Promise<T>): Promise<T> {
  const lock = await lockAt(path, inUse);
  try {
    return await work();
  } finally {
    await lock?.release();
  }
}

async function lockAt(path: string, inUse: CliError) {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await acquireVaultLock(path, nodeRandom);
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'vault-locked') throw inUse;
    if (NO_LOCKS.has((error as NodeJS.ErrnoException).code)) return null;
    throw error;
  }
}

function lockedBy(
  code: 'place-in-use' | 'agent-running',
  message: string,
  { path, next }: { readonly path: string; readonly next: string },
): CliError {
  return new CliError(code, EXIT.locked, message, `${next} If none runs, remove ${path}.`);
}
