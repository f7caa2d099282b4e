import type { Primitives, Random } from '../primitives.ts';
import { sealVaultFile, type VaultEntries } from './vault-file.ts';
import type { VaultHeader } from './vault-key.ts';
import type { VaultPlace } from './vault-key-store.ts';

/** An open vault that nobody else can have open, and how its bytes get to their place. */
export interface SoleVault {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  readonly entries: VaultEntries;
  /** How often it was written; 0 for one that is not there yet. */
  readonly generation: number;
  /** Makes these bytes the vault, durably, all or nothing. */
  put(bytes: Uint8Array, generation: number): Promise<void>;
  /** Removes what the writing before left; the new one stays whatever comes of it. */
  tidy?(generation: number): Promise<void>;
  release(): Promise<void>;
}

/** Memory follows the storage, never the other way round: a batch that was not written is not seen. */
export function soleVault(vault: SoleVault): VaultPlace {
  const { primitives, random, header, root } = vault;
  let { entries, generation } = vault;
  return {
    read: async (look) => look(entries),
    async update(change) {
      const next = change(entries);
      const bytes = sealVaultFile({
        primitives,
        random,
        header,
        root,
        generation: generation + 1,
        entries: next,
      });
      await vault.put(bytes, generation + 1);
      for (const [name, value] of entries) if (next.get(name) !== value) value.fill(0);
      entries = next;
      generation += 1;
      await vault.tidy?.(generation);
    },
    async close() {
      for (const value of entries.values()) value.fill(0);
      entries = new Map();
      root.fill(0);
      await vault.release();
    },
  };
}
