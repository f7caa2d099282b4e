import { asciiBytes, concatBytes, equalBytes, readUint64, uint32Bytes, uint64Bytes } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import type { Random } from '../primitives.ts';
import { nodePrimitives } from './primitives.ts';
import { checkKey, contentKey, isAcceptableKdf, type VaultKdf } from './vault-key.ts';

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
const ZERO_NONCE = new Uint8Array(12);
const NOTHING = new Uint8Array(0);

/** The longest vault file: 256 MiB. */
const MAX_VAULT_BYTES = 256 * 1024 * 1024;

/** How the keys of a vault are made; fixed when it is created. `salt` has 16 bytes. */
export interface VaultHeader {
  readonly kdf: VaultKdf;
  readonly needsUnlockShare: boolean;
  readonly salt: Uint8Array;
}

/** A vault file's parts before its keys are known. */
export interface VaultFile extends VaultHeader {
  readonly bytes: Uint8Array;
  /** How often it was written; 1 for a new one. */
  readonly generation: number;
}

/** Names and values, sorted by name. */
export type VaultEntries = ReadonlyMap<string, Uint8Array>;

/** Reads the parts that need no key. @throws CryptoError `vault-damaged`, `unsupported-version`, `too-large` */
export function parseVaultFile(bytes: Uint8Array): VaultFile {
  if (bytes.length > MAX_VAULT_BYTES) throw tooLarge();
  if (bytes.length < SEALED_AT || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) throw damaged();
  if (bytes[MAGIC.length] !== VERSION)
    throw new CryptoError('unsupported-version', 'a vault of a version that this build does not know');
  if (!equalBytes(checksum(bytes.subarray(0, CHECKSUM_AT)), bytes.subarray(CHECKSUM_AT, GENERATION_AT)))
    throw damaged();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const flags = view.getUint8(17);
  const kdf = {
    memoryKiB: view.getUint32(8),
    passes: view.getUint32(12),
    parallelism: view.getUint8(16),
  };
  const generation = readUint64(bytes, GENERATION_AT);
  if (generation === null || flags > FLAG_UNLOCK_SHARE || !isAcceptableKdf(kdf)) throw damaged();
  const needsUnlockShare = flags === FLAG_UNLOCK_SHARE;
  return { kdf, needsUnlockShare, salt: bytes.slice(18, KEY_CHECK_AT), bytes, generation };
}

/** Opens the content with the vault's root key. @throws CryptoError `wrong-passphrase`, `vault-damaged` */
export function openVaultFile({ bytes }: VaultFile, root: Uint8Array): Map<string, Uint8Array> {
  try {
    nodePrimitives.aeadOpen({
      key: checkKey(root),
      nonce: ZERO_NONCE,
      associated: bytes.subarray(0, KEY_CHECK_AT),
      data: bytes.subarray(KEY_CHECK_AT, CHECKSUM_AT),
    });
  } catch {
    throw new CryptoError('wrong-passphrase', 'the vault does not open with this passphrase');
  }
  try {
    const content = nodePrimitives.aeadOpen({
      key: contentKey(root, bytes.subarray(WRITE_SALT_AT, SEALED_AT)),
      nonce: ZERO_NONCE,
      associated: bytes.subarray(0, SEALED_AT),
      data: bytes.subarray(SEALED_AT),
    });
    return parseEntries(content);
  } catch (cause) {
    throw damaged(cause);
  }
}

/** What `sealVaultFile` writes, and with which root key. */
export interface SealVaultInput {
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  readonly generation: number;
  readonly entries: VaultEntries;
  readonly random: Random;
}

/** The whole file for one state of the vault. @throws CryptoError `too-large` */
export function sealVaultFile({ header, root, generation, entries, random }: SealVaultInput): Uint8Array {
  const { kdf, salt } = header;
  const start = concatBytes(
    MAGIC,
    Uint8Array.of(VERSION),
    uint32Bytes(kdf.memoryKiB),
    uint32Bytes(kdf.passes),
    Uint8Array.of(kdf.parallelism, header.needsUnlockShare ? FLAG_UNLOCK_SHARE : 0),
    salt,
  );
  const keyCheck = nodePrimitives.aeadSeal({
    key: checkKey(root),
    nonce: ZERO_NONCE,
    associated: start,
    data: NOTHING,
  });
  const fixed = concatBytes(start, keyCheck);
  const writeSalt = random(32);
  const associated = concatBytes(fixed, checksum(fixed), uint64Bytes(generation), writeSalt);
  const names = [...entries.keys()].toSorted();
  const content = encodeCbor(names.map((name) => [name, entries.get(name) as Uint8Array]));
  if (SEALED_AT + content.length + 16 > MAX_VAULT_BYTES) throw tooLarge();
  const key = contentKey(root, writeSalt);
  const sealed = nodePrimitives.aeadSeal({ key, nonce: ZERO_NONCE, associated, data: content });
  key.fill(0);
  content.fill(0);
  return concatBytes(associated, sealed);
}

function parseEntries(content: Uint8Array): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  for (const item of readArray(decodeCbor(content, MAX_VAULT_BYTES), 'vault content')) {
    const [name, value] = readArray(item, 'vault entry', 2);
    if (typeof name !== 'string' || entries.has(name)) throw damaged();
    entries.set(name, readBytes(value, 'vault value'));
  }
  return entries;
}

/** Finds accidents before the passphrase is blamed for them; it protects against nobody. */
function checksum(bytes: Uint8Array): Uint8Array {
  return nodePrimitives.sha256(bytes).subarray(0, 8);
}

function damaged(cause?: unknown): CryptoError {
  return new CryptoError('vault-damaged', 'the vault file is damaged', { cause });
}

function tooLarge(): CryptoError {
  return new CryptoError('too-large', `a vault has at most ${MAX_VAULT_BYTES} bytes`);
}
