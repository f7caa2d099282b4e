import type { Primitives } from '@keytide/crypto-core';
import { bech32 } from '@scure/base';
import { ArchiveError } from '../errors.ts';
import { hybridIdentity, type AgeIdentity } from './hybrid.ts';

const RECIPIENT = 'age1pq';
const IDENTITY = 'age-secret-key-pq-';
const PUBLIC_BYTES = 1_216;
const SEED_BYTES = 32;

/** An X-Wing public key (1,216 bytes) as age writes it: `age1pq1…`, about 2,000 characters. */
export function printRecipient(publicKey: Uint8Array): string {
  return bech32.encode(RECIPIENT, bech32.toWords(publicKey), false);
}

/** An X-Wing public key (1,216 bytes) from `age1pq1…`. @throws ArchiveError `bad-key` */
export function readRecipient(text: string): Uint8Array {
  return decoded(text, RECIPIENT, PUBLIC_BYTES);
}

/** A seed of an X-Wing key (32 bytes) as age writes it: `AGE-SECRET-KEY-PQ-1…`. Whoever reads it reads everything. */
export function printIdentity(seed: Uint8Array): string {
  return bech32.encode(IDENTITY, bech32.toWords(seed), false).toUpperCase();
}

/** What opens files with the key of `AGE-SECRET-KEY-PQ-1…`. @throws ArchiveError `bad-key` */
export function readIdentity(primitives: Primitives, text: string): AgeIdentity {
  if (text !== text.toUpperCase()) throw badKey();
  const seed = decoded(text, IDENTITY, SEED_BYTES);
  const key = primitives.decapsulator(seed);
  seed.fill(0);
  return hybridIdentity(primitives, key);
}

function decoded(text: string, prefix: string, sizeBytes: number): Uint8Array {
  try {
    const { prefix: found, words } = bech32.decode(text, false);
    const bytes = bech32.fromWords(words);
    if (found.toLowerCase() === prefix && bytes.length === sizeBytes) return bytes;
  } catch {
    // Told below.
  }
  throw badKey();
}

function badKey(): ArchiveError {
  return new ArchiveError('bad-key', 'not a hybrid age key');
}
