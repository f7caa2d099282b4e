import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** Imports a raw public key. Costs about 10 µs, so the handles keep the result. @throws Error of node:crypto */
export function importPublic(type: 'ed25519' | 'x25519' | 'ml-kem-768', bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: sameMemory(bytes), format: 'raw-public', asymmetricKeyType: type });
}

/** Imports the 32 bytes of an Ed25519 seed or an X25519 scalar. */
export function importPrivate(type: 'ed25519' | 'x25519', bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: sameMemory(bytes), format: 'raw-private', asymmetricKeyType: type });
}

/** Imports the 64-byte seed d ‖ z of FIPS 203. */
export function importMlKemSeed(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: sameMemory(bytes), format: 'raw-seed', asymmetricKeyType: 'ml-kem-768' });
}

/** The raw bytes of a public key, or of a private key's public half. */
export function rawPublic(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  return new Uint8Array(publicKey.export({ format: 'raw-public' }));
}

/** Raw import is typed for Buffer only; no copy, so nothing more has to be wiped. */
function sameMemory(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
