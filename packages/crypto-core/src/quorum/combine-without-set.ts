import { equalBytes, toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { sorted } from '../sorted.ts';
import type { RefusedShare } from './combine.ts';
import { joinSecret } from './shamir.ts';
import { parseShare } from './share.ts';

/** How many ways to leave shares out are tried at most: enough to find two wrong ones among 64 shares. */
const MAX_TRIED = 3_000;

interface Point {
  readonly position: number;
  readonly x: number;
  /** A copy. */
  readonly y: Uint8Array;
}

/**
 * Puts a secret together from shares of one set where the set itself is not there, and nobody knows how many it takes:
 * what they give is the secret if `isSecret` knows it, such as by its public key. Shares of other sets, repeated ones, and
 * wrong ones are refused; without the set a wrong one has no holder's name, and is found only beside enough good ones.
 * `null` where they do not give it: too few, or too many wrong. The caller disposes the secret.
 */
export async function combineWithoutSet(
  shares: readonly Secret[],
  isSecret: (candidate: Secret) => boolean,
): Promise<{ secret: Secret; refused: readonly RefusedShare[] } | null> {
  const unread: RefusedShare[] = [];
  const sets = new Map<string, Point[]>();
  try {
    for (const [position, share] of shares.entries()) {
      const refused = read(share, position, sets);
      if (refused !== null) unread.push(refused);
    }
    for (const points of sets.values()) {
      const distinct = points.filter((point, at) => points.findIndex((one) => isSame(one, point)) === at);
      const found = await joined(distinct, isSecret);
      if (found === null) continue;
      const counted = new Set(found.points.map(({ position }) => position));
      const refused = [...sets.values()].flat().filter(({ position }) => !counted.has(position));
      const judged = refused.map((point): RefusedShare => {
        const { position, x } = point;
        if (!points.includes(point)) return { position, index: null, holder: null, code: 'wrong-context' };
        const isRepeated = found.points.some((one) => isSame(one, point));
        const code = isRepeated ? 'duplicate-share' : 'poisoned-share';
        return { position, index: x, holder: null, code };
      });
      return {
        secret: found.secret,
        refused: sorted([...unread, ...judged], (a, b) => a.position - b.position),
      };
    }
    return null;
  } finally {
    for (const points of sets.values()) for (const { y } of points) y.fill(0);
  }
}

/** Puts a share beside the others of its set; says why where it is none. */
function read(share: Secret, position: number, sets: Map<string, Point[]>): RefusedShare | null {
  const refusal = { position, index: null, holder: null };
  try {
    return share.use((bytes) => {
      const { setId, index, value } = parseShare(bytes);
      if (index === 0) return { ...refusal, code: 'bad-share-index' };
      const set = toHex(setId);
      sets.set(set, [...(sets.get(set) ?? []), { position, x: index, y: value.slice() }]);
      return null;
    });
  } catch (error) {
    if (error instanceof CryptoError) return { ...refusal, code: error.code };
    throw error;
  }
}

/** The secret by as many of the points as can be: more good ones than it takes give it as well. */
async function joined(
  points: readonly Point[],
  isSecret: (candidate: Secret) => boolean,
): Promise<{ secret: Secret; points: readonly Point[] } | null> {
  let tried = 0;
  for (let left = 0; points.length - left >= 2; left += 1)
    for (const out of choices(points.length, left)) {
      tried += 1;
      if (tried > MAX_TRIED) return null;
      const chosen = points.filter((_, at) => !out.includes(at));
      if (new Set(chosen.map(({ x }) => x)).size < chosen.length) continue;
      const secret = Secret.own(await joinSecret(chosen));
      if (isSecret(secret)) return { secret, points: chosen };
      secret.dispose();
    }
  return null;
}

/** Each way to choose `count` of the places from `from` to `length - 1`. */
function* choices(length: number, count: number, from = 0): Generator<readonly number[], void, undefined> {
  if (count === 0) return void (yield []);
  for (let first = from; first <= length - count; first += 1)
    for (const rest of choices(length, count - 1, first + 1)) yield [first, ...rest];
}

const isSame = (a: Point, b: Point): boolean => a.x === b.x && equalBytes(a.y, b.y);
