import {
  encodeUtf8,
  equalBytes,
  hkdf,
  type Encapsulator,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { readerOf } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';
import { coveredBytes, encodeAgeHeader, malformed, readAgeHeader, type Stanza } from './header.ts';
import { wrapHybrid, type AgeIdentity } from './hybrid.ts';
import { openPayload, payloadKey, PAYLOAD_NONCE_BYTES, sealPayload } from './payload.ts';

const FILE_KEY_BYTES = 16;
/** Types of stanzas that a quantum computer opens, by the names that age and its plugins give them. */
const CLASSICAL = /^(X25519|scrypt|ssh-ed25519|ssh-rsa|piv-p256|p256tag)$/;

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** To whom a file is sealed. */
export interface AgeRecipients {
  readonly primitives: Primitives;
  readonly random: Random;
  /** X-Wing keys, at least one. There are no others: what is sealed to a classical key as well is sealed to that. */
  readonly recipients: readonly Encapsulator[];
}

/** With what a file is opened. */
export interface AgeIdentities {
  readonly primitives: Primitives;
  readonly identities: readonly AgeIdentity[];
  /** Whether a file may be sealed to classical keys as well. Default: no. */
  readonly mayBeClassical?: boolean;
}

/** Seals bytes of any length as an age file (age-encryption.org/v1), which `age` 1.3 and later opens. */
export async function* sealAge(
  plain: Bytes,
  { primitives, random, recipients }: AgeRecipients,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  if (recipients.length === 0) throw new RangeError('a file is sealed to somebody');
  const fileKey = random(FILE_KEY_BYTES);
  const stanzas = recipients.map((recipient) => wrapHybrid(primitives, recipient, fileKey));
  yield encodeAgeHeader(stanzas, macOf(primitives, fileKey, coveredBytes(stanzas)));
  const nonce = random(PAYLOAD_NONCE_BYTES);
  const key = payloadKey(primitives, fileKey, nonce);
  fileKey.fill(0);
  yield nonce;
  try {
    yield* sealPayload(primitives, key, readerOf(plain));
  } finally {
    key.fill(0);
  }
}

/**
 * Opens an age file. What was yielded before an error is true, and not all.
 * @throws ArchiveError `malformed`, `unsupported-version`, `too-large`, `classical-recipient`, `no-identity`, `damaged`
 */
export async function* openAge(
  sealed: Bytes,
  { primitives, identities, mayBeClassical = false }: AgeIdentities,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  const reader = readerOf(sealed);
  try {
    const { stanzas, mac, covered } = await readAgeHeader(reader);
    if (!mayBeClassical && stanzas.some(isClassical))
      throw new ArchiveError('classical-recipient', 'sealed to a key that is not hybrid as well');
    const fileKey = fileKeyIn(stanzas, identities);
    if (!equalBytes(macOf(primitives, fileKey, covered), mac))
      throw new ArchiveError('damaged', 'the header was altered');
    const nonce = await reader.read(PAYLOAD_NONCE_BYTES);
    if (nonce.length < PAYLOAD_NONCE_BYTES) throw malformed();
    const key = payloadKey(primitives, fileKey, nonce);
    fileKey.fill(0);
    try {
      yield* openPayload(primitives, key, reader);
    } finally {
      key.fill(0);
    }
  } finally {
    await reader.close();
  }
}

function fileKeyIn(stanzas: readonly Stanza[], identities: readonly AgeIdentity[]): Uint8Array {
  for (const identity of identities) {
    const fileKey = identity.unwrap(stanzas);
    if (fileKey !== null) return fileKey;
  }
  throw new ArchiveError('no-identity', 'sealed to other keys');
}

function isClassical({ args }: Stanza): boolean {
  return CLASSICAL.test(args[0] as string);
}

function macOf(primitives: Primitives, fileKey: Uint8Array, covered: Uint8Array): Uint8Array {
  const info = encodeUtf8('header') as Uint8Array;
  const key = hkdf(primitives, { keyMaterial: fileKey, salt: new Uint8Array(), info, sizeBytes: 32 });
  const mac = primitives.hmacSha256(key, covered);
  key.fill(0);
  return mac;
}
