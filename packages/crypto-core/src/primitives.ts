/**
 * The algorithms of suite 1, one implementation per runtime. All of them give identical bytes and
 * identical verdicts; nothing above this interface knows which one it uses.
 *
 * Keys are imported once into handles, because importing costs more than using on most runtimes.
 */
export interface Primitives {
  /** Names the implementation, for diagnostics. */
  readonly name: string;
  /** SHA-256 (FIPS 180-4): 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** HMAC-SHA-256 (RFC 2104): 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** ChaCha20-Poly1305 (RFC 8439): ciphertext, then the 16-byte tag. Key 32 bytes, nonce 12. */
  aeadSeal(input: AeadInput): Uint8Array;
  /** Undoes `aeadSeal`. @throws CryptoError `decryption-failed` whatever was wrong */
  aeadOpen(input: AeadInput): Uint8Array;
  /** Ed25519 (RFC 8032) from a 32-byte seed. */
  signer(seed: Uint8Array): Signer;
  /** Ed25519 from a 32-byte public key. @throws CryptoError `bad-key`: length, non-canonical, small order */
  verifier(publicKey: Uint8Array): Verifier;
  /** X-Wing (draft-connolly-cfrg-xwing-kem) from a 32-byte seed. */
  decapsulator(seed: Uint8Array): Decapsulator;
  /** X-Wing from a 1216-byte public key. @throws CryptoError `bad-key` */
  encapsulator(publicKey: Uint8Array): Encapsulator;
}

/** One AEAD call. `data` is the plaintext to seal, or ciphertext and tag to open. */
export interface AeadInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
  readonly data: Uint8Array;
  /**
   * Where the result goes, which is then what is returned: exactly as long as the result, 16 bytes more than `data` or
   * fewer. Left as it is when the call throws. Default: new memory.
   */
  readonly into?: Uint8Array;
}

/** An imported Ed25519 secret key. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** A 64-byte signature. */
  sign(message: Uint8Array): Uint8Array;
}

/** An imported Ed25519 public key. */
export interface Verifier {
  readonly publicKey: Uint8Array;
  /** Strict: refuses S not below the group order, non-canonical or small-order R. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** An imported X-Wing secret key. */
export interface Decapsulator {
  /** 1216 bytes: ML-KEM-768 (1184), then X25519 (32). */
  readonly publicKey: Uint8Array;
  /** @throws CryptoError `decryption-failed` for a ciphertext of wrong length or an all-zero X25519 secret */
  decapsulate(ciphertext: Uint8Array): Uint8Array;
}

/** An imported X-Wing public key. */
export interface Encapsulator {
  readonly publicKey: Uint8Array;
  /** A fresh 32-byte shared secret and its 1120-byte ciphertext: ML-KEM-768 (1088), then X25519 (32). */
  encapsulate(): { ciphertext: Uint8Array; sharedSecret: Uint8Array };
}

/** The source of randomness: exactly `sizeBytes` fresh bytes, fit for keys, or a throw; never fewer. */
export type Random = (sizeBytes: number) => Uint8Array;
