import { concatBytes } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { hkdf } from './hkdf.ts';
import { labelled } from './labels.ts';
import type { Decapsulator, Encapsulator, Primitives } from './primitives.ts';

const KEM_CIPHERTEXT_BYTES = 1120;
const TAG_BYTES = 16;
const NO_SALT = new Uint8Array(0);
/** Each box has a key of its own, used once, so the nonce can be constant. */
const ZERO_NONCE = new Uint8Array(12);

/** What a sealed box adds to its plaintext, in bytes. */
export const BOX_OVERHEAD_BYTES: number = KEM_CIPHERTEXT_BYTES + TAG_BYTES;

/** The longest box that is opened: 64 KiB. */
export const MAX_BOX_BYTES: number = 64 * 1024;

/**
 * Seals to one device's sealing key, safe while either X25519 or ML-KEM-768 holds: X-Wing ciphertext
 * (1120 bytes) ‖ AEAD (docs/spec/keys-and-sealing.md). It says nothing of who sealed it.
 * @param context bytes that the opener must know as well; authenticated, not stored
 * @throws CryptoError `too-large`
 */
export function sealBox(
  primitives: Primitives,
  encapsulator: Encapsulator,
  context: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  if (plaintext.length + BOX_OVERHEAD_BYTES > MAX_BOX_BYTES) throw tooLarge();
  const { ciphertext, sharedSecret } = encapsulator.encapsulate();
  const key = boxKey(primitives, sharedSecret, encapsulator.publicKey);
  const sealed = primitives.aeadSeal({ key, nonce: ZERO_NONCE, associated: context, data: plaintext });
  key.fill(0);
  return concatBytes(ciphertext, sealed);
}

/**
 * Opens a box made by `sealBox` for this key and context; the plaintext is the caller's to wipe.
 * @throws CryptoError `decryption-failed` (wrong key, context or altered bytes), `malformed` (too short), `too-large`
 */
export function openBox(
  primitives: Primitives,
  decapsulator: Decapsulator,
  context: Uint8Array,
  box: Uint8Array,
): Uint8Array {
  if (box.length > MAX_BOX_BYTES) throw tooLarge();
  if (box.length < BOX_OVERHEAD_BYTES) throw new CryptoError('malformed', 'too short for a sealed box');
  const sharedSecret = decapsulator.decapsulate(box.subarray(0, KEM_CIPHERTEXT_BYTES));
  const key = boxKey(primitives, sharedSecret, decapsulator.publicKey);
  try {
    const data = box.subarray(KEM_CIPHERTEXT_BYTES);
    return primitives.aeadOpen({ key, nonce: ZERO_NONCE, associated: context, data });
  } finally {
    key.fill(0);
  }
}

/** The whole recipient key goes in, so that a box is bound to one recipient. Wipes `sharedSecret`. */
function boxKey(primitives: Primitives, sharedSecret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const info = labelled('box', primitives.sha256(publicKey));
  const key = hkdf(primitives, { salt: NO_SALT, keyMaterial: sharedSecret, info, sizeBytes: 32 });
  sharedSecret.fill(0);
  return key;
}

function tooLarge(): CryptoError {
  return new CryptoError('too-large', `a sealed box has at most ${MAX_BOX_BYTES} bytes`);
}
