import type { Random } from '../primitives.ts';
import { checkRandomSize } from '../random-size.ts';

/** The most that `getRandomValues` gives at once (Web Cryptography API §10.1.1). */
const QUOTA_BYTES = 65_536;

/** Randomness of the browser, `crypto.getRandomValues`. @throws CryptoError `malformed` for what is no number of bytes */
export const browserRandom: Random = (sizeBytes) => {
  checkRandomSize(sizeBytes);
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += QUOTA_BYTES)
    globalThis.crypto.getRandomValues(bytes.subarray(at, at + QUOTA_BYTES));
  return bytes;
};
