import type { Primitives } from '../primitives.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { signer, verifier } from './ed25519.ts';
import { hmacSha256, sha256 } from './sha256.ts';
import { decapsulator, encapsulator } from './x-wing.ts';

/**
 * Suite 1 on node:crypto (OpenSSL 3.5 or later, for ML-KEM), with libsodium for short AEAD calls.
 * Encapsulation and its X25519 ephemeral take their randomness from OpenSSL.
 */
export const nodePrimitives: Primitives = {
  name: 'node',
  sha256,
  hmacSha256,
  aeadSeal,
  aeadOpen,
  signer,
  verifier,
  decapsulator,
  encapsulator,
};
