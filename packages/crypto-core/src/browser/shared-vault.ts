import { equalBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Primitives, Random } from '../primitives.ts';
import { openVaultFile, parseVaultFile, sealVaultFile, type VaultEntries } from '../vault/vault-file.ts';
import { bindToDevice, proofOf, unlockedBy, type VaultHeader } from '../vault/vault-key.ts';
import type { VaultPlace } from '../vault/vault-key-store.ts';
import { deviceKeyOf, newKeptKey } from './device-key.ts';
import type { VaultDatabase } from './vault-records.ts';

/** An unlocked vault that other tabs may have open too. */
interface SharedVault {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly database: VaultDatabase;
  readonly header: VaultHeader;
  /** What the passphrase made, and it with the unlock share; both become this vault's. */
  readonly stretched: Uint8Array;
  readonly unlocked: Uint8Array;
  /** Runs a job while no other tab writes. */
  writing<T>(job: () => Promise<T>): Promise<T>;
}

/** The newest writing that this tab has seen. */
interface Seen {
  readonly entries: VaultEntries;
  readonly generation: number;
  readonly writeSalt: Uint8Array;
}

/** A vault in the browser's database: looked at again before each call, written while nobody else writes. */
export function sharedVault(vault: SharedVault): VaultPlace & { create(): Promise<void> } {
  const { primitives, random, database, stretched } = vault;
  let { header, unlocked } = vault;
  let seen: Seen = { entries: new Map(), generation: 0, writeSalt: new Uint8Array(0) };
  let last: Promise<unknown> = Promise.resolve();

  /** Within this tab one call after another, so that none wipes what another one is sealing. */
  const inTurn = <T>(job: () => Promise<T>): Promise<T> => {
    const result = last.then(job);
    last = result.catch(() => null);
    return result;
  };
  const see = (next: Seen): void => {
    for (const [name, value] of seen.entries) if (next.entries.get(name) !== value) value.fill(0);
    seen = next;
  };
  const rootFor = async (key: Parameters<typeof deviceKeyOf>[0]): Promise<Uint8Array> => {
    const deviceKey = await deviceKeyOf(key, header.salt);
    const root = bindToDevice(primitives, unlocked, deviceKey);
    deviceKey.fill(0);
    return root;
  };
  const refresh = async (): Promise<void> => {
    const writing = await database.readWriting();
    if (writing !== null && equalBytes(writing, seen.writeSalt)) return;
    const stored = await database.read();
    if (stored === null) throw gone();
    const file = parseVaultFile(primitives, stored.vault);
    if (!equalBytes(file.salt, header.salt)) throw gone();
    if (file.needsUnlockShare !== header.needsUnlockShare)
      throw new CryptoError('unlock-share-needed', 'another tab has changed what opens this vault');
    const root = await rootFor(stored.key);
    see({ ...file, entries: openVaultFile(primitives, file, root) });
    root.fill(0);
  };
  const put = async (entries: VaultEntries): Promise<void> => {
    const generation = seen.generation + 1;
    const key = await newKeptKey();
    const root = await rootFor(key);
    const bytes = sealVaultFile({ primitives, random, header, root, generation, entries });
    root.fill(0);
    const { writeSalt } = parseVaultFile(primitives, bytes);
    await database.replace({ vault: bytes, key, writing: writeSalt });
    see({ entries, generation, writeSalt });
  };

  return {
    create: () => inTurn(() => vault.writing(() => put(new Map()))),
    read: (look) =>
      inTurn(async () => {
        await refresh();
        return look(seen.entries);
      }),
    update: (change) =>
      inTurn(() =>
        vault.writing(async () => {
          await refresh();
          await put(change(seen.entries));
        }),
      ),
    needsUnlockShare: () => header.needsUnlockShare,
    prove: (context) => proofOf(primitives, stretched, context),
    rekey: (share) =>
      inTurn(() =>
        vault.writing(async () => {
          await refresh();
          const before = { header, unlocked };
          const { kdf, needsDeviceKey, salt } = header;
          header = { kdf, needsDeviceKey, salt, needsUnlockShare: share !== null };
          unlocked = unlockedBy(primitives, stretched, share);
          try {
            await put(seen.entries);
            before.unlocked.fill(0);
          } catch (cause) {
            ({ header, unlocked } = before);
            throw cause;
          }
        }),
      ),
    async close() {
      await last;
      see({ entries: new Map(), generation: 0, writeSalt: new Uint8Array(0) });
      unlocked.fill(0);
      stretched.fill(0);
      await database.close();
    },
  };
}

function gone(): CryptoError {
  return new CryptoError('vault-missing', 'this vault was erased');
}
