import { combine } from 'shamir-secret-sharing';
import type { Random } from '../primitives.ts';

/** A point of the 32 polynomials over GF(2^8), one for each byte of the secret: 32 bytes at `x`. */
export interface Point {
  readonly x: number;
  readonly y: Uint8Array;
}

/**
 * Shares at x = 1 … `count` of a secret of 32 bytes at x = 0 (Shamir, "How to share a secret", 1979).
 *
 * The library's own `split` takes its randomness from WebCrypto, which is not everywhere. So `threshold` − 1
 * shares are drawn at random: with the secret they fix polynomials as uniformly random as random coefficients
 * do. The library interpolates the others.
 */
export async function splitSecret(
  random: Random,
  secret: Uint8Array,
  threshold: number,
  count: number,
): Promise<Uint8Array[]> {
  const drawn = Array.from({ length: threshold - 1 }, (_, i) => ({ x: i + 1, y: random(32) }));
  const points = [{ x: 0, y: secret }, ...drawn];
  const shares = drawn.map(({ y }) => y);
  for (let x = threshold; x <= count; x += 1) shares.push(await interpolate(points, x));
  return shares;
}

/** The secret, when at least `threshold` right shares are given, with different x that are not 0; otherwise noise. */
export async function joinSecret(points: readonly Point[]): Promise<Uint8Array> {
  return interpolate(points, 0);
}

/**
 * The library interpolates at 0 only. Addition in GF(2^8) is XOR, so moving every x by `x` moves that point to 0.
 */
async function interpolate(points: readonly Point[], x: number): Promise<Uint8Array> {
  const moved = points.map((point) => {
    const share = new Uint8Array(point.y.length + 1);
    share.set(point.y);
    share[point.y.length] = point.x ^ x;
    return share;
  });
  try {
    return await combine(moved);
  } finally {
    for (const share of moved) share.fill(0);
  }
}
