import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { aeadFailed, checkAeadInput, inPlace } from '../aead-input.ts';
import type { AeadInput } from '../primitives.ts';

const TAG_BYTES = 16;
/** Up to here libsodium's short call wins; above, OpenSSL's speed does. Measured between 1.3 and 2 KiB. */
const SHORT_BYTES = 1536;

type Sodium = typeof import('libsodium-wrappers');

/**
 * ChaCha20-Poly1305 of `Primitives.aeadSeal`. The key is imported for each call: `createCipheriv` takes 11 µs more
 * for the bytes themselves.
 */
export function aeadSeal(input: AeadInput): Uint8Array {
  checkAeadInput(input);
  const sodium = input.data.length <= SHORT_BYTES ? loadedSodium() : null;
  if (sodium !== null) {
    const { data, associated, nonce, key } = input;
    return inPlace(
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(data, associated, null, nonce, key),
      input,
    );
  }
  const sealedBytes = input.data.length + TAG_BYTES;
  // Every byte is written below, so none needs to be zero first.
  const sealed = input.into ?? new Uint8Array(Buffer.allocUnsafeSlow(sealedBytes).buffer);
  if (sealed.length !== sealedBytes) throw new RangeError('memory of another length than the result');
  const cipher = createCipheriv('chacha20-poly1305', createSecretKey(input.key), input.nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(input.associated, { plaintextLength: input.data.length });
  const encrypted = cipher.update(input.data);
  sealed.set(encrypted);
  release(encrypted);
  cipher.final();
  sealed.set(cipher.getAuthTag(), input.data.length);
  return sealed;
}

/** ChaCha20-Poly1305 of `Primitives.aeadOpen`. @throws CryptoError `decryption-failed` */
export function aeadOpen(input: AeadInput): Uint8Array {
  checkAeadInput(input);
  const opened = openedNew(input);
  const plain = inPlace(opened, input);
  if (plain !== opened) release(opened);
  return plain;
}

/** In memory of its own: nothing is given out before the tag was compared. */
function openedNew(input: AeadInput): Uint8Array {
  const plainBytes = input.data.length - TAG_BYTES;
  if (plainBytes < 0) throw aeadFailed();
  const sodium = plainBytes <= SHORT_BYTES ? loadedSodium() : null;
  try {
    if (sodium !== null)
      return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        null,
        input.data,
        input.associated,
        input.nonce,
        input.key,
      );
    const decipher = createDecipheriv('chacha20-poly1305', createSecretKey(input.key), input.nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(input.associated, { plaintextLength: plainBytes });
    decipher.setAuthTag(input.data.subarray(plainBytes));
    const opened = decipher.update(input.data.subarray(0, plainBytes));
    decipher.final();
    return new Uint8Array(opened.buffer, opened.byteOffset, opened.length);
  } catch {
    throw aeadFailed();
  }
}

/**
 * Gives memory back at once, unless others share it: of an attachment's chunks, the collector lets tens of megabytes
 * pile up.
 */
function release({ buffer, byteLength }: Uint8Array): void {
  const memory = buffer as ArrayBuffer & { transfer(sizeBytes: number): ArrayBuffer };
  if (memory.byteLength === byteLength) memory.transfer(0);
}

let sodium: Sodium | null = null;
let loading = false;

/**
 * libsodium once it is ready, else `null`. Loading starts with the first short message, so that importing
 * this module does no work and nobody has to wait; until then OpenSSL does the same job a little slower.
 * `require` gives the CommonJS build, which carries the JavaScript fallback; a test runner's resolution
 * conditions can make it give the ES module, which has the functions under `default`.
 */
function loadedSodium(): Sodium | null {
  if (!loading) {
    loading = true;
    const loaded = createRequire(import.meta.url)('libsodium-wrappers') as Sodium & { default?: Sodium };
    void loaded.ready.then(
      () => (sodium = loaded.default ?? loaded),
      () => null,
    );
  }
  return sodium;
}
