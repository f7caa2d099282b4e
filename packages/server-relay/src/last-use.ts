import { CryptoError, parseEpochStatement, type Primitives } from '@keytide/crypto-core';

const DAY_MS = 86_400_000;

/**
 * Until when anything of an epoch is written: the end of the block after its own, for writers that are late, and a day
 * for clocks that are wrong. By the signed times of its statement; what is no statement bounds nothing.
 */
export function lastUseMs(primitives: Primitives, statement: Uint8Array): number {
  try {
    const { blockStartMs, blockEndMs } = parseEpochStatement(primitives, statement);
    return blockEndMs + (blockEndMs - blockStartMs) + DAY_MS;
  } catch (error) {
    if (error instanceof CryptoError) return Infinity;
    throw error;
  }
}
