import { combineShares, CryptoError, type QuorumSet, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { disposeAll } from '../archive-key-files.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { judgeShares, readShares, sharesIn, type ShareVerdict } from '../given-shares.ts';
import { knownSet, type SetOptions } from '../known-set.ts';
import { shareText } from '../share-text.ts';
import { formatTable } from '../table.ts';

interface DrillOptions extends SetOptions {
  readonly share?: readonly string[];
}

/** `keytide archive-key drill`: whether these shares are good, and give the key. Keeps nothing. */
export async function drillArchiveKey(context: Context, options: DrillOptions): Promise<ExitCode> {
  const { set, said } = await knownSet(context, options);
  const given = await readShares(context, options.share ?? []);
  const shares = sharesIn(given);
  try {
    const verdicts = judgeShares(set, given);
    const good = verdicts.filter(({ verdict }) => verdict === 'good').length;
    const gives = await whatTheyGive(set, shares);
    context.output.result({ ...said, shares: verdicts, good, needed: set.threshold, gives }, [
      ...formatTable(COLUMNS, verdicts.map(rowOf)),
      `good: ${good}, needed: ${set.threshold}; ${GIVES[gives]}`,
    ]);
    return gives === 'the-key' && good === verdicts.length ? EXIT.ok : EXIT.alarm;
  } finally {
    disposeAll(shares);
  }
}

type Gives = 'the-key' | 'nothing-yet' | 'another-key';

const GIVES: Readonly<Record<Gives, string>> = {
  'the-key': 'together they give the archive key',
  'nothing-yet': 'too few to give the archive key',
  'another-key': 'they are as dealt, and give another key than the set says: it was dealt wrongly',
};

async function whatTheyGive(set: QuorumSet, shares: readonly Secret[]): Promise<Gives> {
  try {
    (await combineShares(primitives, set, shares)).secret.dispose();
    return 'the-key';
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    if (error.code === 'too-few-shares') return 'nothing-yet';
    if (error.code === 'commitment-mismatch') return 'another-key';
    throw error;
  }
}

const COLUMNS = [
  { heading: 'SHARE', maxWidth: 40 },
  { heading: 'HOLDER', maxWidth: 32 },
  { heading: '', maxWidth: 60 },
];

function rowOf({ from, holder, verdict }: ShareVerdict): string[] {
  return [from, holder ?? '', shareText(verdict)];
}
