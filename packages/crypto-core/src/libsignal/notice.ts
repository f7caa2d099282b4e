import { decodeCbor, encodeCbor, type CborValue } from '../cbor.ts';
import { readArray, readBytes, readKnown } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { KEPT_MESSAGES } from './peer-state.ts';

const VERSION = 1;
const MAX_NOTICE_BYTES = 8 * 1024;
const HASH_BYTES = 32;

/** What is lost is asked for a minute after it was asked for last, then after 2, 4, … minutes, and no more after 12 times. */
const FIRST_WAIT_MS = 60_000;
export const MAX_ASKS = 12;

/** A peer that asks for a fresh session sooner than this after the last is put off. */
export const RESET_WAIT_MS: number = FIRST_WAIT_MS / 2;

/** Whether it is time to ask for what is lost. */
export function isAskDue(asked: { readonly asks: number; readonly askedMs: number }, nowMs: number): boolean {
  return nowMs >= asked.askedMs + FIRST_WAIT_MS * 2 ** Math.max(0, asked.asks - 1);
}

/** What a notice says, in hashes of wire bytes: what came through, and what has to be sent again in a fresh session. */
export interface Notice {
  readonly received: readonly Uint8Array[];
  readonly lost: readonly Uint8Array[];
}

/** CBOR `[1, [received…], [lost…]]`, each at most 64. */
export function encodeNotice(notice: Notice): Uint8Array {
  return encodeCbor([VERSION, notice.received, notice.lost]);
}

/** @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseNotice(bytes: Uint8Array): Notice {
  const fields = readArray(decodeCbor(bytes, MAX_NOTICE_BYTES), 'notice', 3);
  readKnown(fields[0], 'notice version', VERSION);
  return { received: readHashes(fields[1]), lost: readHashes(fields[2]) };
}

function readHashes(value: CborValue | undefined): Uint8Array[] {
  const hashes = readArray(value, 'hashes').map((hash) => readBytes(hash, 'hash', HASH_BYTES));
  if (hashes.length > KEPT_MESSAGES) throw new CryptoError('malformed', 'too many hashes in a notice');
  return hashes;
}
