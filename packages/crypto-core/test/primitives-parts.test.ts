import { createPrivateKey, createPublicKey, decapsulate, diffieHellman } from 'node:crypto';
import { shake128 } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import nacl from 'tweetnacl';
import { describe, expect, test } from 'vitest';
import { toHex } from '@keytide/crypto-core';
import { loadSodium } from './sodium.ts';
import { vectors } from './vectors.ts';

/** The halves of X-Wing cannot be called through `Primitives`; these are the library calls below it. */
const sodium = await loadSodium();

const nodeKey = (bytes: Uint8Array, type: 'x25519' | 'ml-kem-768', format: 'raw-private' | 'raw-seed') =>
  createPrivateKey({ key: Buffer.from(bytes), format, asymmetricKeyType: type });

const x25519: Record<string, (scalar: Uint8Array, point: Uint8Array) => Uint8Array> = {
  tweetnacl: (scalar, point) => nacl.scalarMult(scalar, point),
  libsodium: (scalar, point) => sodium.crypto_scalarmult(scalar, point),
  node: (scalar, point) =>
    diffieHellman({
      privateKey: nodeKey(scalar, 'x25519', 'raw-private'),
      publicKey: createPublicKey({
        key: Buffer.from(point),
        format: 'raw-public',
        asymmetricKeyType: 'x25519',
      }),
    }),
};

interface MlKem {
  /** From the 64-byte seed of FIPS 203. */
  open(seed: Uint8Array): { publicKey: Uint8Array; decapsulate: (ciphertext: Uint8Array) => Uint8Array };
  encapsulate(publicKey: Uint8Array, message: Uint8Array): [ciphertext: Uint8Array, secret: Uint8Array];
}

const noble: MlKem = {
  open(seed) {
    const { publicKey, secretKey } = ml_kem768.keygen(seed);
    const prepared = ml_kem768.prepare(publicKey);
    return { publicKey, decapsulate: (ciphertext) => prepared.decapsulate(ciphertext, secretKey) };
  },
  encapsulate(publicKey, message) {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, message);
    return [cipherText, sharedSecret];
  },
};
const mlKem: Record<string, MlKem> = {
  noble,
  libsodium: {
    open(seed) {
      const { publicKey, privateKey } = sodium.crypto_kem_mlkem768_seed_keypair(seed);
      return {
        publicKey,
        decapsulate: (ciphertext) => sodium.crypto_kem_mlkem768_dec(ciphertext, privateKey),
      };
    },
    encapsulate(publicKey, message) {
      const made = sodium.crypto_kem_mlkem768_enc_deterministic(publicKey, message);
      return [made.ciphertext, made.sharedSecret];
    },
  },
  // node:crypto takes no message, so it borrows the other's encapsulation.
  node: {
    open(seed) {
      const key = nodeKey(seed, 'ml-kem-768', 'raw-seed');
      const publicKey = createPublicKey(key).export({ format: 'raw-public' });
      return { publicKey, decapsulate: (ciphertext) => decapsulate(key, ciphertext) };
    },
    encapsulate: (publicKey, message) => noble.encapsulate(publicKey, message),
  },
};

describe.each(Object.entries(x25519))('X25519 of %s', (_, multiply) => {
  test.each(vectors('x25519'))('$source', (vector) => {
    expect(toHex(multiply(vector.bytes('scalar'), vector.bytes('point')))).toBe(
      toHex(vector.bytes('output')),
    );
  });
});

/** github.com/C2SP/CCTV ML-KEM: SHAKE128 of nothing gives all inputs, SHAKE128 of all outputs is compared. */
test.each(Object.entries(mlKem))('ML-KEM-768 of %s, accumulated over 100 keys', (_, implementation) => {
  const input = shake128.create({});
  const output = shake128.create({ dkLen: 32 });
  for (let round = 0; round < 100; round += 1) {
    const key = implementation.open(input.xof(64));
    output.update(key.publicKey);
    const [ciphertext, secret] = implementation.encapsulate(key.publicKey, input.xof(32));
    output.update(ciphertext).update(secret);
    expect(toHex(key.decapsulate(ciphertext))).toBe(toHex(secret));
    output.update(key.decapsulate(input.xof(1088)));
  }
  const [vector] = vectors('mlKem768');
  expect(toHex(output.digest())).toBe(toHex(vector?.bytes('digest') ?? new Uint8Array(0)));
});
