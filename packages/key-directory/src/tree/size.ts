/** Bytes of every hash in a tree. */
export const HASH_BYTES: number = 32;

/** Whether a number can be a size, or an index: a non-negative safe integer. */
export function isTreeSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Half of a size, rounded down; a shift would cut off what is above 32 bits. */
export function halved(value: number): number {
  return Math.floor(value / 2);
}

/** The largest power of two that is not above `value`, which is at least 1. */
export function powerOfTwoWithin(value: number): number {
  let power = 1;
  while (power <= value / 2) power *= 2;
  return power;
}
