import { asciiBytes } from '../bytes.ts';
import { labelled } from '../labels.ts';
import type { KeptKey } from './vault-records.ts';

/** A new key that only this browser can use, and nobody can read. Each writing of a vault has its own. */
export function newKeptKey(): Promise<KeptKey> {
  const { subtle } = globalThis.crypto;
  return subtle.generateKey({ name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign']);
}

/** The device key of a vault, 32 bytes: HMAC-SHA-256(kept key, vault-key ‖ "device" ‖ salt). The caller wipes it. */
export async function deviceKeyOf(key: KeptKey, salt: Uint8Array): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto;
  const input = new Uint8Array(labelled('vaultKey', asciiBytes('device'), salt));
  return new Uint8Array(await subtle.sign('HMAC', key, input));
}
