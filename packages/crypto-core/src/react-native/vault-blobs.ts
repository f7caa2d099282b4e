import { CryptoError } from '../errors.ts';
import type { Primitives } from '../primitives.ts';
import { sorted } from '../sorted.ts';
import { parseVaultFile, type VaultFile } from '../vault/vault-file.ts';
import type { NativeBlobs } from './ports.ts';

/** The blob of a generation: writings take turns, so that the last whole one is never written over. */
export function blobName(name: string, generation: number): string {
  return `${name}.${generation % 2}`;
}

/** Removes both blobs of a vault. */
export async function deleteBlobs(blobs: NativeBlobs, name: string): Promise<void> {
  for (const turn of [0, 1]) await blobs.delete(blobName(name, turn));
}

/**
 * The writings that are there, newest first: one, or two where the last writing was cut off before it had removed the
 * one before. Empty where there is no vault. @throws CryptoError `vault-damaged` where none of them is readable
 */
export async function readBlobs(
  primitives: Primitives,
  blobs: NativeBlobs,
  name: string,
): Promise<VaultFile[]> {
  const found: VaultFile[] = [];
  let damage: unknown = null;
  for (const turn of [0, 1]) {
    const bytes = await blobs.read(blobName(name, turn));
    if (bytes === null) continue;
    try {
      const file = parseVaultFile(primitives, bytes);
      if (file.generation % 2 !== turn) throw new CryptoError('vault-damaged', 'a writing out of its place');
      found.push(file);
    } catch (error) {
      if ((error as CryptoError).code !== 'vault-damaged') throw error;
      damage = error;
    }
  }
  if (found.length === 0 && damage !== null) throw damage;
  return sorted(found, (a, b) => b.generation - a.generation);
}
