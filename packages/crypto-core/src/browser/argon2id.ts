import { argon2idAsync } from '@noble/hashes/argon2.js';
import type { Argon2id } from '../vault/vault-key.ts';

/** Argon2id in plain JavaScript, because libsodium's usual build has none. It lets the page go on in between. */
export const argon2id: Argon2id = (passphrase, salt, kdf) =>
  argon2idAsync(passphrase, salt, { t: kdf.passes, m: kdf.memoryKiB, p: kdf.parallelism, dkLen: 32 });
