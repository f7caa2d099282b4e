import { asciiBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { hkdfExpand, hkdfExtract } from '../hkdf.ts';
import { labelled } from '../labels.ts';
import type { Primitives, Random } from '../primitives.ts';
import { Secret } from '../secret.ts';

/** What Argon2id (RFC 9106) may cost whoever tries a passphrase. */
export interface VaultKdf {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** RFC 9106 §4, second recommendation, on one lane: 64 MiB and 3 passes, about a quarter of a second in Node. */
export const DEFAULT_VAULT_KDF: VaultKdf = { memoryKiB: 64 * 1024, passes: 3, parallelism: 1 };

/** A file from elsewhere must not be able to ask for all the memory there is. */
const LIMITS: VaultKdf = { memoryKiB: 1024 * 1024, passes: 16, parallelism: 16 };

/** Whether Argon2id runs with these parameters and this build is willing to. */
export function isAcceptableKdf({ memoryKiB, passes, parallelism }: VaultKdf): boolean {
  return (
    [memoryKiB, passes, parallelism].every(Number.isSafeInteger) &&
    parallelism >= 1 &&
    parallelism <= LIMITS.parallelism &&
    passes >= 1 &&
    passes <= LIMITS.passes &&
    memoryKiB >= 8 * parallelism &&
    memoryKiB <= LIMITS.memoryKiB
  );
}

/** How the keys of a vault are made; fixed when it is created. */
export interface VaultHeader {
  /** The cost of its passphrase; `null` for a vault without one. */
  readonly kdf: VaultKdf | null;
  readonly needsUnlockShare: boolean;
  /** Whether a key that the device's platform keeps is part of its root. */
  readonly needsDeviceKey: boolean;
  /** 16 bytes, random. */
  readonly salt: Uint8Array;
}

/** What a person and the organisation give to open a vault. */
export interface VaultSecrets {
  /** `null` for a vault without one. */
  readonly passphrase: string | null;
  /** The part that somebody else keeps, if any, or where to get it. */
  readonly unlockShare: Secret | UnlockShareSource | null;
}

/**
 * Gets the unlock share of a vault that needs one, and is not called for another. `prove` makes what whoever keeps the
 * share can ask for. The answer is the vault's to dispose.
 */
export type UnlockShareSource = (prove: Prove) => Promise<Secret>;

/** A proof of the passphrase for a context, 32 bytes: useless for any other, and tests no guess without the salt. */
export type Prove = (context: Uint8Array) => Secret;

/** Argon2id of a runtime: 32 bytes of a normalised passphrase. */
export type Argon2id = (passphrase: string, salt: Uint8Array, kdf: VaultKdf) => Promise<Uint8Array>;

/** Bytes of the shortest unlock share; one that can be guessed protects nothing. */
const MIN_UNLOCK_SHARE_BYTES = 16;

/**
 * The header of a new vault for these secrets.
 * @throws CryptoError `malformed` for a cost out of range, an empty passphrase, an unlock share under 16 bytes
 */
export function newVaultHeader(
  random: Random,
  secrets: VaultSecrets,
  { kdf, needsDeviceKey }: { readonly kdf: VaultKdf; readonly needsDeviceKey: boolean },
): VaultHeader {
  if (!isAcceptableKdf(kdf)) throw new CryptoError('malformed', 'Argon2id parameters out of range');
  const { passphrase, unlockShare } = secrets;
  if (passphrase === '') throw new CryptoError('malformed', 'an empty passphrase protects nothing');
  if (unlockShare instanceof Secret) assertUnlockShare(unlockShare);
  return {
    kdf: passphrase === null ? null : kdf,
    needsUnlockShare: unlockShare instanceof Secret,
    needsDeviceKey,
    salt: random(16),
  };
}

/** @throws CryptoError `malformed` for a share that could be guessed */
export function assertUnlockShare(share: Secret): void {
  if (share.use((bytes) => bytes.length) < MIN_UNLOCK_SHARE_BYTES)
    throw new CryptoError('malformed', `an unlock share has at least ${MIN_UNLOCK_SHARE_BYTES} bytes`);
}

/** What opens a vault, but for its device key. The caller wipes both. */
export interface Unlocking {
  /** What the passphrase makes: Argon2id of it, 32 bytes, or nothing. */
  readonly stretched: Uint8Array;
  /** What passphrase and unlock share make, 32 bytes. */
  readonly unlocked: Uint8Array;
}

/**
 * Stretches the passphrase and adds the unlock share, which is got in between where it has to be.
 * @throws CryptoError `unlock-share-needed`, `wrong-passphrase` (one given to a vault without, or none to a vault with
 * one), `unsupported-runtime`; whatever getting the share throws
 */
export async function unlockVault(
  primitives: Primitives,
  argon2id: Argon2id | null,
  { kdf, needsUnlockShare, salt }: VaultHeader,
  { passphrase, unlockShare }: VaultSecrets,
): Promise<Unlocking> {
  const isMissing = needsUnlockShare && unlockShare === null;
  if (isMissing || (!needsUnlockShare && unlockShare instanceof Secret))
    throw new CryptoError('unlock-share-needed', 'this vault and this unlock share do not go together');
  if ((kdf !== null) !== (passphrase !== null))
    throw new CryptoError('wrong-passphrase', 'this vault and this passphrase do not go together');
  let stretched: Uint8Array = new Uint8Array(0);
  if (kdf !== null && passphrase !== null) {
    if (argon2id === null)
      throw new CryptoError('unsupported-runtime', 'no Argon2id here to open this vault with');
    // Typed on two keyboards, one passphrase can have two encodings (RFC 8265 §4).
    stretched = await argon2id(passphrase.normalize('NFC'), salt, kdf);
  }
  if (!needsUnlockShare || typeof unlockShare !== 'function') {
    const share = unlockShare instanceof Secret ? unlockShare : null;
    return { stretched, unlocked: unlockedBy(primitives, stretched, share) };
  }
  const share = await unlockShare((context) => proofOf(primitives, stretched, context));
  const unlocked = unlockedBy(primitives, stretched, share);
  share.dispose();
  return { stretched, unlocked };
}

/** HKDF-Extract(unlock share or nothing, Argon2id(passphrase) or nothing): 32 bytes. The caller wipes it. */
export function unlockedBy(
  primitives: Primitives,
  stretched: Uint8Array,
  unlockShare: Secret | null,
): Uint8Array {
  if (unlockShare === null) return hkdfExtract(primitives, new Uint8Array(0), stretched);
  return unlockShare.use((share) => hkdfExtract(primitives, share, stretched));
}

/** The proof for a context: docs/spec/unlock-lease.md. */
export function proofOf(primitives: Primitives, stretched: Uint8Array, context: Uint8Array): Secret {
  const key = hkdfExtract(primitives, new Uint8Array(0), stretched);
  const proof = Secret.own(hkdfExpand(primitives, key, labelled('unlockProof', context), 32));
  key.fill(0);
  return proof;
}

/** The root of a vault that a device key protects, 32 bytes: HKDF-Extract(device key, what `unlockVault` gave). */
export function bindToDevice(
  primitives: Primitives,
  unlocked: Uint8Array,
  deviceKey: Uint8Array,
): Uint8Array {
  return hkdfExtract(primitives, deviceKey, unlocked);
}

/** The key of the block that tells a wrong passphrase from damage. */
export function checkKey(primitives: Primitives, root: Uint8Array): Uint8Array {
  return hkdfExpand(primitives, root, labelled('vaultKey', asciiBytes('check')), 32);
}

/** The key of one writing of the vault. `writeSalt`: 32 random bytes, so no key seals twice. */
export function contentKey(primitives: Primitives, root: Uint8Array, writeSalt: Uint8Array): Uint8Array {
  return hkdfExpand(primitives, root, labelled('vaultKey', asciiBytes('content'), writeSalt), 32);
}
