import { combineShares, CryptoError, toHex, type QuorumSet, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { judgeShares, sharesIn, type GivenShare } from './given-shares.ts';
import { shareText } from './share-text.ts';

/**
 * The seed that these shares give; says which of them count for nothing. The caller disposes it, and the shares.
 * @throws CliError `too-few-shares`, `other-key`
 */
export async function combineGiven(
  context: Context,
  set: QuorumSet,
  given: readonly GivenShare[],
): Promise<Secret> {
  noteRefused(context, set, given);
  try {
    return (await combineShares(primitives, set, sharesIn(given))).secret;
  } catch (error) {
    throw combineError(error, set, given);
  }
}

/** Names every share that counts for nothing. */
export function noteRefused({ output }: Context, set: QuorumSet, given: readonly GivenShare[]): void {
  for (const { from, holder, verdict } of judgeShares(set, given)) {
    if (verdict === 'good') continue;
    const event = { event: 'share-refused', from, holder, code: verdict };
    output.event(event);
    output.note(`${from}${holder === null ? '' : ` (${holder})`}: ${shareText(verdict)}`);
  }
}

/** What went wrong with shares, for a person. */
export function combineError(error: unknown, set: QuorumSet, given: readonly GivenShare[]): unknown {
  if (!(error instanceof CryptoError)) return error;
  if (error.code === 'too-few-shares') return tooFewShares(set, given);
  if (error.code === 'commitment-mismatch')
    return new CliError(
      'other-key',
      EXIT.usage,
      'the shares are as dealt, and give another key than the set says',
      'It was dealt wrongly: go on with another set, if there is one.',
    );
  return error;
}

/** Not enough good ones. */
export function tooFewShares(set: QuorumSet, given: readonly GivenShare[]): CliError {
  const verdicts = judgeShares(set, given).map(({ verdict }) => verdict);
  const good = verdicts.filter((verdict) => verdict === 'good').length;
  return new CliError(
    'too-few-shares',
    EXIT.usage,
    `good shares: ${good} of the ${set.threshold} that it takes, so ${set.threshold - good} more`,
    verdicts.includes('wrong-context')
      ? `Those of another set count with others of their own. This one is ${toHex(set.hash)}, "Set" on the sheets; with --set FILE, the archive-key.set of other sheets, it is said of each of those whether it is good.`
      : '`keytide archive-key drill` says of each whether it is good.',
  );
}
