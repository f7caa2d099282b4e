import type { Contestant } from '../contest.ts';

/** The size of what is in an envelope of 1 KB: padded body, and the tag. */
const SEALED_BYTES = 1_216;

/**
 * What the browser's own cryptography needs for the same number of bytes: an AES-256-GCM decryption for each
 * message (it has no ChaCha20-Poly1305) and so many Ed25519 verifications, all asked for at once, with one
 * imported key. No headers, no derived keys, no chain.
 */
export async function webCryptoFloor(count: { messages: number; signatures: number }): Promise<Contestant> {
  const { subtle } = globalThis.crypto;
  const key = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const { privateKey, publicKey } = (await subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as {
    privateKey: typeof key;
    publicKey: typeof key;
  };
  const cipher = { name: 'AES-GCM', iv: new Uint8Array(12) };
  const sealed = await subtle.encrypt(cipher, key, new Uint8Array(SEALED_BYTES));
  const signed = new Uint8Array(60);
  const signature = await subtle.sign('Ed25519', privateKey, signed);
  return {
    name: `floor: WebCrypto, AES-256-GCM and ${count.signatures} Ed25519`,
    async round(time) {
      const answers = await time(() =>
        Promise.all([
          ...Array.from({ length: count.messages }, () => subtle.decrypt(cipher, key, sealed)),
          ...Array.from({ length: count.signatures }, () =>
            subtle.verify('Ed25519', publicKey, signature, signed),
          ),
        ]),
      );
      if (answers.includes(false)) throw new Error('a signature of the floor is wrong');
    },
  };
}
