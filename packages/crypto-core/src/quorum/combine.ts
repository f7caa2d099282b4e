import { equalBytes } from '../bytes.ts';
import { CryptoError, type CryptoErrorCode } from '../errors.ts';
import type { Primitives } from '../primitives.ts';
import { Secret } from '../secret.ts';
import { secretFingerprint } from './fingerprint.ts';
import type { QuorumSet } from './set.ts';
import { joinSecret } from './shamir.ts';
import { parseShare, shareCommitment, type ShareFields } from './share.ts';

/** A share that does not count, and why. */
export interface RefusedShare {
  /** Its place among the shares that were given, from 0. */
  readonly position: number;
  /** The index it claims; `null` when it is not a share of this set, or of no holder. */
  readonly index: number | null;
  /** The name of the holder of that index; `null` likewise. */
  readonly holder: string | null;
  /**
   * `malformed`, `unsupported-version`: no share; `wrong-context`: of another set; `bad-share-index`;
   * `poisoned-share`: not what the dealer gave this holder; `duplicate-share`: given before; `disposed`.
   */
  readonly code: CryptoErrorCode;
}

/** Shares sorted into good and refused. */
export interface ExaminedShares {
  /** How many count; the secret needs `set.threshold`. */
  readonly good: readonly { readonly position: number; readonly index: number; readonly holder: string }[];
  readonly refused: readonly RefusedShare[];
}

/** Says of each share whether it is one that the set's dealer made; reveals nothing. The set was verified. */
export function examineShares(
  primitives: Primitives,
  set: QuorumSet,
  shares: readonly Secret[],
): ExaminedShares {
  const good: { position: number; index: number; holder: string }[] = [];
  const refused: RefusedShare[] = [];
  const seen = new Set<number>();
  for (const [position, share] of shares.entries()) {
    const { index, code } = judge(primitives, set, share, seen);
    const holder = (index === null ? null : set.holders[index - 1]?.name) ?? null;
    if (code === null && index !== null && holder !== null) {
      good.push({ position, index, holder });
      seen.add(index);
    } else refused.push({ position, index, holder, code: code ?? 'malformed' });
  }
  return { good, refused };
}

/**
 * Puts the secret together from any `set.threshold` good shares, however many bad ones are among them, and
 * checks that it is the one of the set's fingerprint. The caller disposes it.
 * @throws CryptoError `too-few-shares`; its `cause` is the list of refused shares
 * @throws CryptoError `commitment-mismatch`: every share is as dealt, but the dealer did not share what it signed
 */
export async function combineShares(
  primitives: Primitives,
  set: QuorumSet,
  shares: readonly Secret[],
): Promise<{ secret: Secret; refused: readonly RefusedShare[] }> {
  const { good, refused } = examineShares(primitives, set, shares);
  if (good.length < set.threshold)
    throw new CryptoError('too-few-shares', `${good.length} good shares of ${set.threshold}`, {
      cause: refused,
    });
  const points = good.slice(0, set.threshold).map(({ position }) =>
    (shares[position] as Secret).use((bytes) => {
      const { index, value } = parseShare(bytes);
      return { x: index, y: value };
    }),
  );
  const secret = Secret.own(await joinSecret(points));
  if (!equalBytes(secretFingerprint(primitives, set.kind, secret), set.fingerprint)) {
    secret.dispose();
    throw new CryptoError('commitment-mismatch', 'the shares do not give the secret that the dealer signed');
  }
  return { secret, refused };
}

interface Verdict {
  readonly index: number | null;
  readonly code: CryptoErrorCode | null;
}

function judge(primitives: Primitives, set: QuorumSet, share: Secret, seen: ReadonlySet<number>): Verdict {
  try {
    return share.use((bytes) => judgeFields(primitives, set, parseShare(bytes), seen));
  } catch (error) {
    if (error instanceof CryptoError) return { index: null, code: error.code };
    throw error;
  }
}

function judgeFields(
  primitives: Primitives,
  set: QuorumSet,
  share: ShareFields,
  seen: ReadonlySet<number>,
): Verdict {
  if (!equalBytes(share.setId, set.setId)) return { index: null, code: 'wrong-context' };
  const holder = set.holders[share.index - 1];
  if (holder === undefined) return { index: null, code: 'bad-share-index' };
  const { index } = share;
  // Before looking for duplicates, so that a forged share cannot keep out the one it imitates.
  if (!equalBytes(shareCommitment(primitives, share), holder.commitment))
    return { index, code: 'poisoned-share' };
  return { index, code: seen.has(index) ? 'duplicate-share' : null };
}
