import type { Primitives, Random } from '../primitives.ts';
import { sealVaultFile, type VaultEntries } from './vault-file.ts';
import { proofOf, unlockedBy, type VaultHeader } from './vault-key.ts';
import type { VaultPlace } from './vault-key-store.ts';

/** An open vault that nobody else can have open, and how its bytes get to their place. */
export interface SoleVault {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  /** What the passphrase made; becomes this vault's. */
  readonly stretched: Uint8Array;
  readonly entries: VaultEntries;
  /** How often it was written; 0 for one that is not there yet. */
  readonly generation: number;
  /** The root key for what passphrase and unlock share made, which stays the caller's. */
  rootFor(unlocked: Uint8Array): Promise<Uint8Array>;
  /** Makes these bytes the vault, durably, all or nothing; with another key, what was there is not to be read again. */
  put(bytes: Uint8Array, generation: number, isRekeyed: boolean): Promise<void>;
  /** Removes what the writing before left; the new one stays whatever comes of it. */
  tidy?(generation: number): Promise<void>;
  release(): Promise<void>;
}

/** Memory follows the storage, never the other way round: a batch that was not written is not seen. */
export function soleVault(vault: SoleVault): VaultPlace {
  const { primitives, random, stretched } = vault;
  let { header, root, entries, generation } = vault;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(job: () => Promise<T>): Promise<T> => {
    const result = last.then(job);
    last = result.catch(() => null);
    return result;
  };
  const write = async (next: Pick<SoleVault, 'header' | 'root' | 'entries'>): Promise<void> => {
    const bytes = sealVaultFile({ primitives, random, generation: generation + 1, ...next });
    await vault.put(bytes, generation + 1, next.root !== root);
    for (const [name, value] of entries) if (next.entries.get(name) !== value) value.fill(0);
    if (next.root !== root) root.fill(0);
    ({ header, root, entries } = next);
    generation += 1;
    await vault.tidy?.(generation);
  };
  return {
    needsUnlockShare: () => header.needsUnlockShare,
    prove: (context) => proofOf(primitives, stretched, context),
    read: async (look) => look(entries),
    update: (change) => inTurn(() => write({ header, root, entries: change(entries) })),
    rekey: (share) =>
      inTurn(async () => {
        const unlocked = unlockedBy(primitives, stretched, share);
        const next = await vault.rootFor(unlocked);
        unlocked.fill(0);
        const { kdf, needsDeviceKey, salt } = header;
        await write({
          header: { kdf, needsDeviceKey, salt, needsUnlockShare: share !== null },
          root: next,
          entries,
        });
      }),
    async close() {
      await last;
      for (const value of entries.values()) value.fill(0);
      entries = new Map();
      root.fill(0);
      stretched.fill(0);
      await vault.release();
    },
  };
}
