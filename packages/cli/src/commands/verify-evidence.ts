import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  DirectoryError,
  MAX_FORK_PROOF_BYTES,
  noteKeyText,
  verifyForkProof,
  type DirectoryErrorCode,
  type ForkVerdict,
} from '@keytide/key-directory';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { usageError } from '../usage.ts';

/** `keytide verify-evidence`: what a file of evidence proves, from nothing but the file. */
export async function verifyEvidence({ output }: Context, path: string): Promise<void> {
  const file = await readFileBytes(path, MAX_FORK_PROOF_BYTES);
  const { claim, origin, against, signers, refused } = verdictOn(file);
  const texts = (keys: typeof against): string[] => keys.map((key) => noteKeyText(primitives, key));
  const [first, second] = signers.map(texts) as [string[], string[]];
  output.result({ proved: claim, origin, against: texts(against), signers: { first, second }, refused }, [
    `proved: ${MEANING[claim]}`,
    `log: ${origin}`,
    ...(refused === null ? [] : [`entry ${refused.index}: ${refused.code}`]),
    ...(against.length === 0
      ? [
          'nobody signed both: one of the signers lies, or was lied to',
          ...lines('first', first),
          ...lines('second', second),
        ]
      : lines('against', texts(against))),
  ]);
  output.note('Whose key it is, the file cannot say: compare the text of the key with the one you know.');
}

/** With these, what is in the file was read, and is not true. */
const PROVES_NOTHING: readonly DirectoryErrorCode[] = ['bad-proof', 'bad-signature', 'bad-key'];

function verdictOn(file: Uint8Array): ForkVerdict {
  try {
    return verifyForkProof(primitives, file);
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    if (error.code === 'malformed')
      throw usageError(
        'not a file of evidence',
        'Give the file just as it was written, by `--evidence` or an app.',
      );
    if (!PROVES_NOTHING.includes(error.code)) throw error;
    const next = 'Believe nothing of what was said with it; ask who gave it to you.';
    throw new CliError('proves-nothing', EXIT.notProved, `the file proves nothing: ${error.message}`, next);
  }
}

const MEANING = {
  forked: 'two signed checkpoints of one log cannot both be true',
  'refused-entry': 'a signed checkpoint covers an entry that the rules refuse',
  'wrong-map': 'a signed checkpoint has a map that is not that of its log',
} as const;

function lines(name: string, keys: readonly string[]): string[] {
  return keys.map((key) => `${name}: ${key}`);
}
