import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Random } from '../primitives.ts';
import { isRunning, processStart } from './process-identity.ts';

/** Held from `acquireVaultLock` to `release`. */
export interface VaultLock {
  /** @throws CryptoError `vault-locked`: somebody else has the lock now */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  readonly start: string;
  /** Tells two openings by one process apart. */
  readonly token: string;
}

/**
 * Takes the lock file at `path`, or takes it over from a process that no longer runs.
 * @throws CryptoError `vault-locked`, naming the process; a retry helps once that process has ended
 */
export async function acquireVaultLock(path: string, random: Random): Promise<VaultLock> {
  const token = toHex(random(16));
  const mine: Owner = { pid: process.pid, start: processStart(process.pid), token };
  const draft = `${path}.${token}`;
  await writeFile(draft, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
  try {
    // A link appears with its content, so nobody reads half a lock, and fails where one is already.
    while (!(await tryLink(draft, path))) await clearStale(path, `${path}.stale.${token}`);
  } finally {
    await rm(draft, { force: true });
  }
  const isMine = async (): Promise<boolean> => (await readOwner(path))?.token === token;
  return {
    async assertHeld() {
      if (!(await isMine())) throw lockedBy(await readOwner(path));
    },
    async release() {
      if (await isMine()) await rm(path, { force: true });
    },
  };
}

/**
 * Moves a dead owner's lock aside. Between reading and moving, another process may have done the same and
 * locked; then its lock is put back. What remains of that race is caught by `assertHeld` before each write.
 */
async function clearStale(path: string, aside: string): Promise<void> {
  const owner = await readOwner(path);
  if (owner === null) return;
  if (isRunning(owner.pid, owner.start)) throw lockedBy(owner);
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readOwner(aside))?.token !== owner.token) await tryLink(aside, path);
  await rm(aside, { force: true });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** `null` where there is no lock. What cannot be read counts as a lock of nobody that runs. */
async function readOwner(path: string): Promise<Owner | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const { pid, start, token } = JSON.parse(text) as Record<string, unknown>;
    if (Number.isSafeInteger(pid) && (pid as number) > 0 && typeof start === 'string')
      return { pid: pid as number, start, token: String(token) };
  } catch {
    // Not JSON: as below.
  }
  return { pid: 2 ** 31 - 1, start: 'unreadable', token: text };
}

function lockedBy(owner: Owner | null): CryptoError {
  const who = owner === null ? 'another process' : `process ${owner.pid}`;
  return new CryptoError('vault-locked', `the vault is in use by ${who}`);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
