import { copyBytes } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { groupId, type GroupId } from './ids.ts';

/**
 * The start of every envelope (docs/spec/envelope.md), visible to the relay:
 *
 *     0  1 version │ 1  1 suite │ 2  32 group │ 34  4 epoch │ 38  8 slot │ 46  16 salt │ 62  24 routing │ 86 …
 */
export const HEADER: {
  readonly version: 1;
  readonly suite: 1;
  readonly group: 2;
  readonly epoch: 34;
  readonly slot: 38;
  readonly salt: 46;
  readonly routing: 62;
  readonly sealed: 86;
} = { version: 1, suite: 1, group: 2, epoch: 34, slot: 38, salt: 46, routing: 62, sealed: 86 };

/** The longest envelope: 256 KiB. */
export const MAX_ENVELOPE_BYTES: number = 256 * 1024;
/** AEAD tag, padded length, signature: no envelope is shorter than with an empty body. */
const MIN_ENVELOPE_BYTES = HEADER.sealed + 16 + 4 + 64;

/** What anyone who holds an envelope can read of it. `slot` (8 bytes) means nothing without the epoch key. */
export interface EnvelopeHeader {
  readonly group: GroupId;
  readonly epoch: number;
  readonly slot: Uint8Array;
  readonly salt: Uint8Array;
}

/** Reads the visible header; needs no key and proves nothing. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseEnvelopeHeader(envelope: Uint8Array): EnvelopeHeader {
  assertEnvelope(envelope);
  return {
    group: groupId(envelope.subarray(HEADER.group, HEADER.epoch)),
    epoch: epochOf(envelope),
    slot: copyBytes(envelope.subarray(HEADER.slot, HEADER.salt)),
    salt: copyBytes(envelope.subarray(HEADER.salt, HEADER.routing)),
  };
}

/** Checks size, version and suite. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function assertEnvelope(envelope: Uint8Array): void {
  if (envelope.length > MAX_ENVELOPE_BYTES)
    throw new CryptoError('too-large', `an envelope has at most ${MAX_ENVELOPE_BYTES} bytes`);
  if (envelope.length < MIN_ENVELOPE_BYTES) throw new CryptoError('malformed', 'too short for an envelope');
  if (envelope[0] !== HEADER.version || envelope[1] !== HEADER.suite)
    throw new CryptoError('unsupported-version', 'unknown envelope version or suite');
}

/** The epoch that an envelope names. */
export function epochOf(envelope: Uint8Array): number {
  return new DataView(envelope.buffer, envelope.byteOffset).getUint32(HEADER.epoch);
}
