import type { QuorumSet } from '@keytide/crypto-core';
import type { Context } from './context.ts';
import { judgeShares, readShares, typeShare, type GivenShare } from './given-shares.ts';
import { shareText } from './share-text.ts';
import { usageError } from './usage.ts';

const MAX_TYPED = 128;

/**
 * The shares in these files, or as the holders type them, hidden: each is judged at once, and it ends when there are
 * enough, or with an empty line. @throws CliError as `readShares`
 */
export async function enoughShares(
  context: Context,
  set: QuorumSet,
  paths: readonly string[],
): Promise<GivenShare[]> {
  if (paths.length > 0) return await readShares(context, paths);
  const { output, passphrase } = context;
  const ask = passphrase.findPrompt();
  if (ask === null)
    throw usageError(
      'there is nobody to ask for shares',
      'Run it in a terminal, or give --share FILE, or --share - for stdin.',
    );
  output.note(
    `It takes ${set.threshold} of the ${set.holders.length} holders. Each types the line that begins`,
  );
  output.note(
    'with KTS1, and return. What is typed is not shown. Return alone ends it, and nothing is opened.',
  );
  const given: GivenShare[] = [];
  for (let asked = 0; asked < MAX_TYPED; asked += 1) {
    const good = judgeShares(set, given).flatMap(({ holder, verdict }) =>
      verdict === 'good' ? [holder] : [],
    );
    const missing = set.threshold - good.length;
    if (missing === 0) break;
    const here = good.length === 0 ? '' : ` (here: ${good.join(', ')})`;
    const typed = await typeShare(ask, `Share, ${missing} more needed${here}:`);
    if (typed === null) break;
    const verdict = judgeShares(set, [...given, typed]).at(-1);
    if (verdict?.verdict === 'good') given.push(typed);
    else {
      typed.share?.dispose();
      output.note(
        `Not counted: ${shareText(verdict?.verdict ?? 'mistyped-share')}${nameOf(verdict?.holder)}.`,
      );
    }
  }
  return given;
}

function nameOf(holder: string | null | undefined): string {
  return holder === null || holder === undefined ? '' : ` (the share of ${holder})`;
}
