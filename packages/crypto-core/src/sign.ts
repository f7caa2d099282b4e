import { CryptoError } from './errors.ts';
import { labelled, type Label } from './labels.ts';
import type { Primitives, Signer, Verifier } from './primitives.ts';

/**
 * Signs bytes for one purpose: Ed25519 over the label and SHA-256(data), so that data of any size is
 * hashed once. Returns 64 bytes. The same key, label and data always give the same signature.
 */
export function signBytes(
  primitives: Primitives,
  signer: Signer,
  label: Label,
  data: Uint8Array,
): Uint8Array {
  return signer.sign(labelled(label, primitives.sha256(data)));
}

/**
 * Checks a signature made by `signBytes` over the exact bytes that travelled.
 * @throws CryptoError `bad-signature`; a retry does not help
 */
export function verifyBytes(
  primitives: Primitives,
  verifier: Verifier,
  label: Label,
  data: Uint8Array,
  signature: Uint8Array,
): void {
  if (!verifier.verify(labelled(label, primitives.sha256(data)), signature))
    throw new CryptoError('bad-signature', 'the signature does not belong to these bytes and this key');
}
