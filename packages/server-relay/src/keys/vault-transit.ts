import { asciiBytes, CryptoError } from '@keytide/crypto-core';
import { z } from 'zod';
import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { serviceFailed } from './service-call.ts';
import type { Vault } from './vault.ts';

/** A key of Vault's transit engine that wraps data keys. */
export interface VaultTransitOptions {
  readonly vault: Vault;
  /** The key's name; an AEAD key (`aes256-gcm96`, `chacha20-poly1305`), derived or not. */
  readonly key: string;
  /** Where the engine is mounted. Default `transit`. */
  readonly mount?: string;
  /** The version that wraps. Default: the newest, whichever that is; then what older ones wrapped stays as it is. */
  readonly version?: number;
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
const MOUNT = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;
const WRAPPED = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/]+={0,2}$/;
const NAME_CHARACTERS = 64;
const DATA_KEY_BYTES = 32;

const encrypted = z.object({ data: z.object({ ciphertext: z.string().max(4096) }) });
const decrypted = z.object({ data: z.object({ plaintext: z.string().max(64) }) });

/**
 * Wraps in Vault's transit engine; wrapped = `vault:vN:…` as ASCII. The context is associated data, and the context
 * of a derived key. A Vault that is too old for associated data takes it and binds nothing: `checkKeyWrapper` finds
 * out. The key's name here is `vault:MOUNT/KEY`, or `vault:MOUNT/KEY:vN` with a version.
 * @throws RelayError `bad-reference` for names that are none, or longer than 64 characters together. Calls throw as
 * those of the vault
 */
export function vaultTransitKeyWrapper({
  vault,
  key,
  mount = 'transit',
  version,
}: VaultTransitOptions): KeyWrapper {
  const base = `vault:${mount}/${key}`;
  const keyName = version === undefined ? base : `${base}:v${version}`;
  const isVersion = version === undefined || (Number.isSafeInteger(version) && version > 0);
  if (!NAME.test(key) || !MOUNT.test(mount) || !isVersion || keyName.length > NAME_CHARACTERS)
    throw new RelayError('bad-reference', 'not the name of a key of Vault');
  /** Vault finds the version in what it wrapped, so any of them opens here. */
  const unwraps = (name: string): boolean =>
    name === base || (name.startsWith(`${base}:v`) && /^\d+$/.test(name.slice(base.length + 2)));
  const binding = (context: Uint8Array): object => ({
    associated_data: toBase64(context),
    context: toBase64(context),
  });

  return {
    keyName,
    unwraps,
    async wrap(dataKey, context) {
      const chosen = version === undefined ? {} : { key_version: version };
      const request = { plaintext: toBase64(dataKey), ...binding(context), ...chosen };
      const parsed = encrypted.safeParse(await vault.call('POST', `${mount}/encrypt/${key}`, request));
      const made = WRAPPED.exec(parsed.data?.data.ciphertext ?? '');
      if (made === null || (version !== undefined && made[1] !== String(version)))
        throw serviceFailed('garbage');
      return asciiBytes(made[0]);
    },
    async unwrap(name, wrapped, context) {
      if (!unwraps(name)) throw new RelayError('data-key-missing', 'wrapped by a key that is not here');
      const ciphertext = Buffer.from(wrapped).toString('latin1');
      if (!WRAPPED.test(ciphertext)) throw doesNotOpen();
      const answer = await inCryptoTerms(
        vault.call('POST', `${mount}/decrypt/${key}`, { ciphertext, ...binding(context) }),
      );
      const dataKey = fromBase64(decrypted.safeParse(answer).data?.data.plaintext ?? '');
      if (dataKey?.length !== DATA_KEY_BYTES) throw serviceFailed('garbage');
      return dataKey;
    },
  };
}

async function inCryptoTerms(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof RelayError && error.reason === 'does-not-open' ? doesNotOpen() : error;
  }
}

function doesNotOpen(): CryptoError {
  return new CryptoError('decryption-failed', 'the wrapped key does not open');
}
