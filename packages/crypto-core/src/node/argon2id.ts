import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Argon2id } from '../vault/vault-key.ts';

const derive = promisify(argon2);

/** Argon2id of node:crypto, off the main thread. */
export const argon2id: Argon2id = (passphrase, salt, kdf) =>
  derive('argon2id', {
    message: passphrase,
    nonce: salt,
    parallelism: kdf.parallelism,
    tagLength: 32,
    memory: kdf.memoryKiB,
    passes: kdf.passes,
  });
