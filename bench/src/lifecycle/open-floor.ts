import { createRequire } from 'node:module';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { processorClock } from '../clock.ts';

export const OPEN_FLOOR = 'floor: one AEAD and one JSON for each';
const NONCE = new Uint8Array(12);

/** The processor time, in ms, of so many messages of 1 KB that are only decrypted (libsodium, key at hand) and decoded (JSON). */
export async function bareOpenMs(messages: number): Promise<number> {
  const sodium = createRequire(import.meta.url)('libsodium-wrappers') as typeof import('libsodium-wrappers');
  await sodium.ready;
  const key = random(32);
  const decoder = new TextDecoder();
  const plain = Buffer.from(JSON.stringify([1, 0, 'chat', '', Date.now(), 0, { text: 'x'.repeat(1_000) }]));
  const sealed = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plain, null, null, NONCE, key);
  const startMs = processorClock.now();
  for (let message = 0; message < messages; message += 1) {
    const opened = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, null, NONCE, key);
    const value = JSON.parse(decoder.decode(opened)) as readonly [number];
    if (value[0] !== 1) throw new Error('the floor opens something else');
  }
  return processorClock.now() - startMs;
}
