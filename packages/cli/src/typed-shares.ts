import { combineWithoutSet, type QuorumSet, type Secret } from '@keytide/crypto-core';
import type { Context } from './context.ts';
import { judgeShares, sharesIn, typeShare, type GivenShare } from './given-shares.ts';
import { shareText } from './share-text.ts';
import { usageError } from './usage.ts';

/** What shares are held against. */
export interface RecoverySet {
  /** The set that the archive has, or that was given; `null` where there is none. */
  readonly set: QuorumSet | null;
  /** Whether a seed is that of a key to which the archive is sealed, by its own word. */
  isKey(seed: Secret): boolean;
}

const MAX_TYPED = 128;

/**
 * Shares as the holders type them, hidden: each is judged at once, and it ends when there are enough, or with an empty
 * line. @throws CliError `usage` when there is nobody to ask
 */
export async function typedShares(
  { output, passphrase }: Context,
  { set, isKey }: RecoverySet,
): Promise<GivenShare[]> {
  const ask = passphrase.findPrompt();
  if (ask === null)
    throw usageError(
      'there is nobody to ask for shares',
      'Run it in a terminal, or give --share FILE, or --share - for stdin.',
    );
  output.note(
    set === null
      ? 'As many holders as their sheets say are needed: each types the line that begins'
      : `It takes ${set.threshold} of the ${set.holders.length} holders. Each types the line that begins`,
  );
  output.note(
    'with KTS1, and return. What is typed is not shown. Return alone ends it, and nothing is opened.',
  );
  const given: GivenShare[] = [];
  /** Of no set that is known: they count by themselves. */
  const others: GivenShare[] = [];
  for (let asked = 0; asked < MAX_TYPED; asked += 1) {
    const good = set === null ? [] : goodOf(set, given);
    const missing = set === null ? null : set.threshold - good.length;
    if (missing === 0) break;
    const here = good.length === 0 ? '' : ` (here: ${good.join(', ')})`;
    const typed = await typeShare(ask, missing === null ? 'Share:' : `Share, ${missing} more needed${here}:`);
    if (typed === null) break;
    const found = set === null ? null : judgeShares(set, [...given, typed]).at(-1);
    const verdict = found?.verdict ?? (typed.share === null ? 'mistyped-share' : 'wrong-context');
    if (verdict === 'good') given.push(typed);
    else if (verdict === 'wrong-context') {
      others.push(typed);
      if (await isEnough(others, isKey)) break;
      if (set !== null)
        output.note('Of another set than the one here: such shares are put together by themselves.');
    } else {
      typed.share?.dispose();
      output.note(`Not counted: ${shareText(verdict)}${nameOf(found?.holder)}.`);
    }
  }
  return [...given, ...others];
}

/** The holders whose good shares are among these. */
export function goodOf(set: QuorumSet, given: readonly GivenShare[]): string[] {
  return judgeShares(set, given).flatMap(({ holder, verdict }) =>
    verdict === 'good' && holder !== null ? [holder] : [],
  );
}

async function isEnough(others: readonly GivenShare[], isKey: RecoverySet['isKey']): Promise<boolean> {
  const found = await combineWithoutSet(sharesIn(others), isKey);
  found?.secret.dispose();
  return found !== null;
}

function nameOf(holder: string | null | undefined): string {
  return holder === null || holder === undefined ? '' : ` (the share of ${holder})`;
}
