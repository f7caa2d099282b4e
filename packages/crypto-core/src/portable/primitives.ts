import type { Primitives, Random } from '../primitives.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { signer, verifier } from './ed25519.ts';
import { hmacSha256, sha256 } from './sha256.ts';
import { decapsulator, encapsulator } from './x-wing.ts';

/**
 * Suite 1 in plain JavaScript (tweetnacl, @noble): no WebAssembly, no WebCrypto, no Node, no TextEncoder.
 * For Hermes, and for every runtime that has nothing better.
 * @param random what encapsulation draws from, 64 bytes each time; nothing else here is random. In React Native
 *   the app gives a binding to the platform's generator
 */
export function portablePrimitives(random: Random): Primitives {
  return {
    name: 'portable',
    sha256,
    hmacSha256,
    aeadSeal,
    aeadOpen,
    signer,
    verifier,
    decapsulator,
    encapsulator: (publicKey) => encapsulator(publicKey, random),
  };
}
