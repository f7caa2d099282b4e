/**
 * What is used of libsodium. libsodium-wrappers has all of it; react-native-libsodium has the first part, and what
 * is missing is done in plain JavaScript with the same bytes and verdicts.
 */
export interface Sodium {
  /** Resolves when the functions may be called. */
  readonly ready: Promise<void>;
  randombytes_buf(sizeBytes: number): Uint8Array;
  crypto_sign_seed_keypair(seed: Uint8Array): { publicKey: Uint8Array; privateKey: Uint8Array };
  crypto_sign_detached(message: Uint8Array, privateKey: Uint8Array): Uint8Array;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;

  crypto_aead_chacha20poly1305_ietf_encrypt?(
    message: Uint8Array,
    associated: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): Uint8Array;
  crypto_aead_chacha20poly1305_ietf_decrypt?(
    secretNonce: null,
    ciphertext: Uint8Array,
    associated: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): Uint8Array;
  crypto_kem_xwing_seed_keypair?(seed: Uint8Array): { publicKey: Uint8Array; privateKey: Uint8Array };
  crypto_kem_xwing_enc_deterministic?(
    publicKey: Uint8Array,
    seed: Uint8Array,
  ): { ciphertext: Uint8Array; sharedSecret: Uint8Array };
  crypto_kem_xwing_dec?(ciphertext: Uint8Array, privateKey: Uint8Array): Uint8Array;
}
