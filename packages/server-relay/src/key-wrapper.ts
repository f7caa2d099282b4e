import {
  concatBytes,
  CryptoError,
  labelled,
  labelledHash,
  Secret,
  toHex,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { RelayError } from './errors.ts';

/** Wraps the data keys of organisations under a key that is not in the database. `keyWrapperConformance` in testkit says what it owes. */
export interface KeyWrapper {
  /** Names the key that wraps from now on, in at most 64 characters; kept beside what it wrapped. */
  readonly keyName: string;
  /** Whether it can undo what was wrapped under this name. */
  unwraps(keyName: string): boolean;
  /** Wraps a data key of 32 bytes for this context. */
  wrap(dataKey: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /**
   * Undoes `wrap`; the data key is the caller's to wipe.
   * @throws RelayError `data-key-missing` for a key that is not here
   * @throws RelayError `key-service-failed` (a retry may help), `key-service-refused` where a service keeps the key
   * @throws CryptoError `decryption-failed` for other bytes or another context
   */
  unwrap(keyName: string, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;

/**
 * Wraps under 32 bytes in memory, which are copied: ChaCha20-Poly1305, wrapped = nonce [12] ‖ ciphertext and tag.
 * Few keys are wrapped, so nonces are random.
 * @throws CryptoError `bad-key` for another length
 */
export function localKeyWrapper(primitives: Primitives, random: Random, key: Uint8Array): KeyWrapper {
  if (key.length !== KEY_BYTES) throw new CryptoError('bad-key', 'a wrapping key has 32 bytes');
  const own = Secret.own(key.slice());
  const keyName = toHex(labelledHash(primitives, 'wrappingKeyName', key)).slice(0, 16);
  return {
    keyName,
    unwraps: (name) => name === keyName,
    wrap: async (dataKey, context) =>
      own.use((bytes) => {
        const nonce = random(NONCE_BYTES);
        const associated = labelled('wrappedDataKey', context);
        const sealed = primitives.aeadSeal({ key: bytes, nonce, associated, data: dataKey });
        return concatBytes(nonce, sealed);
      }),
    unwrap: async (name, wrapped, context) =>
      own.use((bytes) => {
        if (name !== keyName) throw new RelayError('data-key-missing', 'wrapped by a key that is not here');
        if (wrapped.length < NONCE_BYTES)
          throw new CryptoError('decryption-failed', 'the wrapped key does not open');
        const nonce = wrapped.subarray(0, NONCE_BYTES);
        const associated = labelled('wrappedDataKey', context);
        return primitives.aeadOpen({ key: bytes, nonce, associated, data: wrapped.subarray(NONCE_BYTES) });
      }),
  };
}
