import { randomFillSync } from 'node:crypto';
import type { Random } from '../primitives.ts';

const POOL_BYTES = 4096;
const pool: Uint8Array = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Randomness of the operating system, drawn 4 KiB at a time because a call costs more than the bytes.
 * What has been handed out is wiped from the pool.
 */
export const nodeRandom: Random = (sizeBytes) => {
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
