import { combineShares, CryptoError, type QuorumSet, type Secret } from '@keytide/crypto-core';
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
  const good = judgeShares(set, given).filter(({ verdict }) => verdict === 'good').length;
  if (error.code === 'too-few-shares')
    return new CliError(
      'too-few-shares',
      EXIT.usage,
      `good shares: ${good} of the ${set.threshold} that it takes, so ${set.threshold - good} more`,
      '`keytide archive-key drill` says of each whether it is good.',
    );
  if (error.code === 'commitment-mismatch')
    return new CliError(
      'other-key',
      EXIT.usage,
      'the shares are as dealt, and give another key than the set says',
      'It was dealt wrongly: go on with another set, if there is one.',
    );
  return error;
}
