import { randomFillSync } from 'node:crypto';
import type { Random } from '../primitives.ts';
import { checkRandomSize } from '../random-size.ts';

const POOL_BYTES = 4096;
const pool: Uint8Array = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Randomness of the operating system, drawn 4 KiB at a time because a call costs more than the bytes.
 * What has been handed out is wiped from the pool. @throws CryptoError `malformed` for what is no number of bytes
 */
export const nodeRandom: Random = (sizeBytes) => {
  checkRandomSize(sizeBytes);
  if (sizeBytes > POOL_BYTES) return randomFillSync(new Uint8Array(sizeBytes));
  if (used + sizeBytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = pool.slice(used, used + sizeBytes);
  pool.fill(0, used, used + sizeBytes);
  used += sizeBytes;
  return bytes;
};
