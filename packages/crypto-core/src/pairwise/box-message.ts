import { openBox, sealBox } from '../box.ts';
import { concatBytes, fromHex, toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import { pad, unpad } from '../padme.ts';
import type { Decapsulator, Primitives, Random, Signer, Verifier } from '../primitives.ts';
import { signBytes, verifyBytes } from '../sign.ts';
import type { PairwisePeer } from './endpoint.ts';
import { HEAD_BYTES, pairContext, wireHead, type Pair } from './wire.ts';

const KEY_ID_BYTES = 8;
const SIGNATURE_BYTES = 64;
const MESSAGE_ID_BYTES = 16;

/** Names one sealing key in a message: 8 bytes as hex. Public, as the key is. */
export function sealingKeyId(primitives: Primitives, sealingPublicKey: Uint8Array): string {
  return toHex(labelledHash(primitives, 'sealingKeyId', sealingPublicKey).subarray(0, KEY_ID_BYTES));
}

/** Input of `sealBoxMessage`. */
interface BoxMessageInput {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly signer: Signer;
  readonly peer: PairwisePeer;
  readonly kind: 'box' | 'notice';
  readonly pair: Pair;
}

/**
 * head [2] ‖ key id [8] ‖ box of (signature [64] ‖ body), where body = pad(message id [16] ‖ plaintext) and the
 * signature covers context ‖ body: docs/spec/pairwise.md.
 */
export function sealBoxMessage(input: BoxMessageInput, plaintext: Uint8Array): Uint8Array {
  const { primitives, random, signer, peer, kind, pair } = input;
  const keyId = fromHex(sealingKeyId(primitives, peer.encapsulator.publicKey)) as Uint8Array;
  const head = concatBytes(wireHead(kind), keyId);
  const context = pairContext(head, pair);
  const body = pad(concatBytes(random(MESSAGE_ID_BYTES), plaintext));
  const signature = signBytes(primitives, signer, 'pairwiseSignature', concatBytes(context, body));
  return concatBytes(head, sealBox(primitives, peer.encapsulator, context, concatBytes(signature, body)));
}

/** Who must have sealed a message, for whom, and with which keys it opens. */
interface BoxMessageExpectation {
  readonly primitives: Primitives;
  readonly verifier: Verifier;
  readonly pair: Pair;
  readonly sealingKey: (keyId: string) => Decapsulator | null;
}

/** An authentic message that may still be a repetition: the sender's message id is unique to it. */
export interface OpenedBoxMessage {
  readonly keyId: string;
  readonly messageId: Uint8Array;
  readonly plaintext: Uint8Array;
}

/** Undoes `sealBoxMessage`. @throws CryptoError `decryption-failed`, `bad-signature`, `malformed` */
export function openBoxMessage(expected: BoxMessageExpectation, wire: Uint8Array): OpenedBoxMessage {
  const { primitives, verifier, pair, sealingKey } = expected;
  const head = wire.subarray(0, HEAD_BYTES + KEY_ID_BYTES);
  const keyId = toHex(head.subarray(HEAD_BYTES));
  const decapsulator = sealingKey(keyId);
  if (decapsulator === null) throw new CryptoError('decryption-failed', 'wrong key or altered bytes');
  const context = pairContext(head, pair);
  const opened = openBox(primitives, decapsulator, context, wire.subarray(head.length));
  const body = opened.subarray(SIGNATURE_BYTES);
  const signature = opened.subarray(0, SIGNATURE_BYTES);
  verifyBytes(primitives, verifier, 'pairwiseSignature', concatBytes(context, body), signature);
  const content = unpad(body);
  if (content.length < MESSAGE_ID_BYTES)
    throw new CryptoError('malformed', 'a pairwise message has a message id');
  return {
    keyId,
    messageId: content.subarray(0, MESSAGE_ID_BYTES),
    plaintext: content.subarray(MESSAGE_ID_BYTES),
  };
}
