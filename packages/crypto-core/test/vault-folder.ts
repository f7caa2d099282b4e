import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { VaultKdf } from '@keytide/crypto-core/node';

/** Cheap Argon2id, for tests only. */
export const QUICK_KDF: VaultKdf = { memoryKiB: 8, passes: 1, parallelism: 1 };

/** A maker of paths for vaults in a folder that goes away after the file's tests. */
export async function vaultFolder(): Promise<() => string> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-vault-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  let count = 0;
  return () => join(folder, `${(count += 1)}`, 'vault');
}
