import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';

/** Base64 with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64Url(bytes).split('-').join('+').split('_').join('/');
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Reads what `toBase64` writes; `null` for anything else, also for left-over bits that are not zero. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const bare = text.replace(/=+$/, '');
  return fromBase64Url(bare.split('+').join('-').split('/').join('_'));
}
