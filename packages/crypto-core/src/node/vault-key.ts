import { argon2, type Argon2Parameters } from 'node:crypto';
import { promisify } from 'node:util';
import { asciiBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { hkdfExpand, hkdfExtract } from '../hkdf.ts';
import { labelled } from '../labels.ts';
import type { Secret } from '../secret.ts';
import { nodePrimitives } from './primitives.ts';

const deriveArgon2 = promisify(argon2);

/** What Argon2id (RFC 9106) may cost whoever tries a passphrase. */
export interface VaultKdf {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** RFC 9106 §4, second recommendation, on one lane: 64 MiB and 3 passes, about a quarter of a second. */
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

/** What a vault's keys come from. `salt` has 16 bytes; `unlockShare` is the part that somebody else keeps, if any. */
export interface VaultSecrets {
  readonly passphrase: string;
  readonly unlockShare: Secret | null;
  readonly kdf: VaultKdf;
  readonly salt: Uint8Array;
}

/** The root of a vault's keys, 32 bytes: HKDF-Extract(unlock share or nothing, Argon2id(passphrase)). The caller wipes it. */
export async function deriveVaultRoot(secrets: VaultSecrets): Promise<Uint8Array> {
  const { kdf, unlockShare } = secrets;
  if (!isAcceptableKdf(kdf)) throw new CryptoError('malformed', 'Argon2id parameters out of range');
  const parameters: Argon2Parameters = {
    // Typed on two keyboards, one passphrase can have two encodings (RFC 8265 §4).
    message: secrets.passphrase.normalize('NFC'),
    nonce: secrets.salt,
    parallelism: kdf.parallelism,
    tagLength: 32,
    memory: kdf.memoryKiB,
    passes: kdf.passes,
  };
  const stretched = await deriveArgon2('argon2id', parameters);
  const root =
    unlockShare === null
      ? hkdfExtract(nodePrimitives, new Uint8Array(0), stretched)
      : unlockShare.use((share) => hkdfExtract(nodePrimitives, share, stretched));
  stretched.fill(0);
  return root;
}

/** The key of the block that tells a wrong passphrase from damage. */
export function checkKey(root: Uint8Array): Uint8Array {
  return hkdfExpand(nodePrimitives, root, labelled('vaultKey', asciiBytes('check')), 32);
}

/** The key of one writing of the file. `writeSalt`: 32 random bytes, so no key seals twice. */
export function contentKey(root: Uint8Array, writeSalt: Uint8Array): Uint8Array {
  return hkdfExpand(nodePrimitives, root, labelled('vaultKey', asciiBytes('content'), writeSalt), 32);
}
