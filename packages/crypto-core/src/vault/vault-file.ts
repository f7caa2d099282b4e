import {
  asciiBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  readUint64,
  uint32Bytes,
  uint64Bytes,
} from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import type { Primitives, Random } from '../primitives.ts';
import { sorted } from '../sorted.ts';
import { checkKey, contentKey, isAcceptableKdf, type VaultHeader, type VaultKdf } from './vault-key.ts';

/**
 * The vault file (docs/spec/vault.md):
 *
 *     0  7 magic │ 7  1 version │ 8  4 memory KiB │ 12  4 passes │ 16  1 lanes │ 17  1 flags │ 18  16 salt
 *     34  16 key check │ 50  8 checksum │ 58  8 generation │ 66  32 write salt │ 98 … sealed content
 */
const MAGIC = asciiBytes('KTVAULT');
const VERSION = 1;
const KEY_CHECK_AT = 34;
const CHECKSUM_AT = 50;
const GENERATION_AT = 58;
const WRITE_SALT_AT = 66;
const SEALED_AT = 98;
const FLAG_UNLOCK_SHARE = 1;
const FLAG_DEVICE_KEY = 2;
/** Of a vault without a passphrase. */
const NO_KDF: VaultKdf = { memoryKiB: 0, passes: 0, parallelism: 0 };
const ZERO_NONCE = new Uint8Array(12);
const NOTHING = new Uint8Array(0);

/** The longest vault file: 256 MiB. */
const MAX_VAULT_BYTES = 256 * 1024 * 1024;

/** A vault file's parts before its keys are known. */
export interface VaultFile extends VaultHeader {
  readonly bytes: Uint8Array;
  /** How often it was written; 1 for a new one. */
  readonly generation: number;
  /** Random, 32 bytes: names this writing. */
  readonly writeSalt: Uint8Array;
}

/** Names and values, sorted by name. */
export type VaultEntries = ReadonlyMap<string, Uint8Array>;

/** Reads the parts that need no key. @throws CryptoError `vault-damaged`, `unsupported-version`, `too-large` */
export function parseVaultFile(primitives: Primitives, bytes: Uint8Array): VaultFile {
  if (bytes.length > MAX_VAULT_BYTES) throw tooLarge();
  if (bytes.length < SEALED_AT || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) throw damaged();
  if (bytes[MAGIC.length] !== VERSION)
    throw new CryptoError('unsupported-version', 'a vault of a version that this build does not know');
  const sum = checksum(primitives, bytes.subarray(0, CHECKSUM_AT));
  if (!equalBytes(sum, bytes.subarray(CHECKSUM_AT, GENERATION_AT))) throw damaged();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const flags = view.getUint8(17);
  const kdf = {
    memoryKiB: view.getUint32(8),
    passes: view.getUint32(12),
    parallelism: view.getUint8(16),
  };
  const generation = readUint64(bytes, GENERATION_AT);
  const needsDeviceKey = (flags & FLAG_DEVICE_KEY) !== 0;
  const isWithout = isNoKdf(kdf) && needsDeviceKey;
  if (generation === null || flags > 3 || !(isWithout || isAcceptableKdf(kdf))) throw damaged();
  return {
    kdf: isWithout ? null : kdf,
    needsUnlockShare: (flags & FLAG_UNLOCK_SHARE) !== 0,
    needsDeviceKey,
    salt: copyBytes(bytes.subarray(18, KEY_CHECK_AT)),
    bytes,
    generation,
    writeSalt: copyBytes(bytes.subarray(WRITE_SALT_AT, SEALED_AT)),
  };
}

/** Opens the content with the vault's root key. @throws CryptoError `wrong-passphrase`, `vault-damaged` */
export function openVaultFile(
  primitives: Primitives,
  { bytes, kdf, needsUnlockShare }: VaultFile,
  root: Uint8Array,
): VaultEntries {
  const check = checkKey(primitives, root);
  try {
    primitives.aeadOpen({
      key: check,
      nonce: ZERO_NONCE,
      associated: bytes.subarray(0, KEY_CHECK_AT),
      data: bytes.subarray(KEY_CHECK_AT, CHECKSUM_AT),
    });
  } catch (cause) {
    // Where nobody typed or fetched anything, nobody can have been wrong.
    if (kdf === null && !needsUnlockShare) throw damaged(cause);
    throw new CryptoError('wrong-passphrase', 'the vault does not open with this passphrase');
  } finally {
    check.fill(0);
  }
  const key = contentKey(primitives, root, bytes.subarray(WRITE_SALT_AT, SEALED_AT));
  let content: Uint8Array | null = null;
  try {
    content = primitives.aeadOpen({
      key,
      nonce: ZERO_NONCE,
      associated: bytes.subarray(0, SEALED_AT),
      data: bytes.subarray(SEALED_AT),
    });
    return parseEntries(content);
  } catch (cause) {
    throw damaged(cause);
  } finally {
    key.fill(0);
    content?.fill(0);
  }
}

/** What `sealVaultFile` writes, and with which root key. */
export interface SealVaultInput {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  readonly generation: number;
  readonly entries: VaultEntries;
}

/** The whole file for one state of the vault. @throws CryptoError `too-large` */
export function sealVaultFile(input: SealVaultInput): Uint8Array {
  const { primitives, random, header, root, generation, entries } = input;
  const kdf = header.kdf ?? NO_KDF;
  const flags =
    (header.needsUnlockShare ? FLAG_UNLOCK_SHARE : 0) + (header.needsDeviceKey ? FLAG_DEVICE_KEY : 0);
  const start = concatBytes(
    MAGIC,
    Uint8Array.of(VERSION),
    uint32Bytes(kdf.memoryKiB),
    uint32Bytes(kdf.passes),
    Uint8Array.of(kdf.parallelism, flags),
    header.salt,
  );
  const check = checkKey(primitives, root);
  const keyCheck = primitives.aeadSeal({ key: check, nonce: ZERO_NONCE, associated: start, data: NOTHING });
  check.fill(0);
  const fixed = concatBytes(start, keyCheck);
  const writeSalt = random(32);
  const associated = concatBytes(fixed, checksum(primitives, fixed), uint64Bytes(generation), writeSalt);
  const names = sorted(entries.keys());
  const content = encodeCbor(names.map((name) => [name, entries.get(name) as Uint8Array]));
  if (SEALED_AT + content.length + 16 > MAX_VAULT_BYTES) throw tooLarge();
  const key = contentKey(primitives, root, writeSalt);
  const sealed = primitives.aeadSeal({ key, nonce: ZERO_NONCE, associated, data: content });
  key.fill(0);
  content.fill(0);
  return concatBytes(associated, sealed);
}

function parseEntries(content: Uint8Array): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  let previous: string | null = null;
  for (const item of readArray(decodeCbor(content, MAX_VAULT_BYTES), 'vault content')) {
    const [name, value] = readArray(item, 'vault entry', 2);
    if (typeof name !== 'string' || (previous !== null && name <= previous)) throw damaged();
    previous = name;
    entries.set(name, readBytes(value, 'vault value'));
  }
  return entries;
}

function isNoKdf({ memoryKiB, passes, parallelism }: VaultKdf): boolean {
  return memoryKiB === 0 && passes === 0 && parallelism === 0;
}

/** Finds accidents before the passphrase is blamed for them; it protects against nobody. */
function checksum(primitives: Primitives, bytes: Uint8Array): Uint8Array {
  return primitives.sha256(bytes).subarray(0, 8);
}

function damaged(cause?: unknown): CryptoError {
  return new CryptoError('vault-damaged', 'the vault is damaged', { cause });
}

function tooLarge(): CryptoError {
  return new CryptoError('too-large', `a vault has at most ${MAX_VAULT_BYTES} bytes`);
}
