import { concatBytes, equalBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import { pad, unpad } from '../padme.ts';
import { MAX_PAIRWISE_BYTES } from '../pairwise/channel.ts';
import { HEAD_BYTES, pairBytes, pairContext, wireHead, type Pair } from '../pairwise/wire.ts';
import type { Primitives, Signer, Verifier } from '../primitives.ts';
import { signBytes, verifyBytes } from '../sign.ts';
import { MESSAGE_ID_BYTES } from './peer-state.ts';
import type { SessionMessage } from './session.ts';

const SIGNATURE_BYTES = 64;
const HASH_BYTES = 32;
const MAX_CONTENT_BYTES = MAX_PAIRWISE_BYTES + 128;

/** What a session message carries. */
export interface SessionContent {
  readonly id: Uint8Array;
  /** The hash of the wire bytes that could not be opened, for a message that is sent again. */
  readonly original: Uint8Array | null;
  readonly plaintext: Uint8Array;
}

/** pad(CBOR `[hash of the pair, id, original, plaintext]`) */
export function encodeContent(primitives: Primitives, pair: Pair, content: SessionContent): Uint8Array {
  const pairHash = labelledHash(primitives, 'pairwiseSession', pairBytes(pair));
  return pad(encodeCbor([pairHash, content.id, content.original, content.plaintext]));
}

/**
 * Reads what a session message carried, and whom its sender meant by it: an identity key alone could be
 * claimed by another device. @throws CryptoError `wrong-context`, `malformed`
 */
export function parseContent(primitives: Primitives, pair: Pair, padded: Uint8Array): SessionContent {
  const fields = readArray(decodeCbor(unpad(padded), MAX_CONTENT_BYTES), 'session message', 4);
  const pairHash = labelledHash(primitives, 'pairwiseSession', pairBytes(pair));
  if (!equalBytes(readBytes(fields[0], 'pair', HASH_BYTES), pairHash))
    throw new CryptoError('wrong-context', 'a message between other devices');
  return {
    id: readBytes(fields[1], 'message id', MESSAGE_ID_BYTES),
    original: fields[2] === null ? null : readBytes(fields[2], 'original', HASH_BYTES),
    plaintext: readBytes(fields[3], 'plaintext'),
  };
}

/** head [2] ‖ libsignal message ‖ signature [64] of the sender's device over context ‖ libsignal message. */
export function signSessionMessage(
  primitives: Primitives,
  signer: Signer,
  pair: Pair,
  message: SessionMessage,
): Uint8Array {
  const head = wireHead(message.kind);
  const signed = concatBytes(pairContext(head, pair), message.bytes);
  const signature = signBytes(primitives, signer, 'sessionMessageSignature', signed);
  return concatBytes(head, message.bytes, signature);
}

/**
 * Undoes `signSessionMessage`. libsignal sees no byte that the peer's device has not signed, so a message that
 * it then refuses is lost, not altered. @throws CryptoError `malformed`, `bad-signature`
 */
export function verifySessionMessage(
  primitives: Primitives,
  verifier: Verifier,
  pair: Pair,
  kind: SessionMessage['kind'],
  wire: Uint8Array,
): SessionMessage {
  const end = wire.length - SIGNATURE_BYTES;
  if (end <= HEAD_BYTES) throw new CryptoError('malformed', 'too short for a session message');
  const bytes = wire.subarray(HEAD_BYTES, end);
  const signed = concatBytes(pairContext(wireHead(kind), pair), bytes);
  verifyBytes(primitives, verifier, 'sessionMessageSignature', signed, wire.subarray(end));
  return { kind, bytes };
}
