import { readSignedManifest, type ArchiveFiles } from '@keytide/archive';
import { archiveRecipient, combineWithoutSet, type RefusedShare, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { disposeAll } from './archive-key-files.ts';
import { combineGiven, noteRefused, tooFewShares } from './combine-given.ts';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { readShares, sharesIn, type GivenShare } from './given-shares.ts';
import { shareText } from './share-text.ts';
import { goodOf, typedShares, type RecoverySet } from './typed-shares.ts';

/** Tells the seeds of keys to which an archive is sealed, by its own word, which is verified when it is opened. */
export async function keysOf(files: ArchiveFiles): Promise<RecoverySet['isKey']> {
  const { recipients } = (await readSignedManifest(files)).manifest;
  return (seed) =>
    seed.use((bytes) =>
      recipients.includes(archiveRecipient(primitives, primitives.decapsulator(bytes).publicKey)),
    );
}

/**
 * The seed that enough shares give, from these files or as the holders type them: of the set that is known, or of another
 * set of the same key, such as one that was dealt later. The caller disposes it.
 * @throws CliError as `readShares`, `combineGiven`; `too-few-shares`
 */
export async function recoveredKey(
  context: Context,
  known: RecoverySet,
  paths: readonly string[],
): Promise<Secret> {
  const given = paths.length > 0 ? await readShares(context, paths) : await typedShares(context, known);
  try {
    const { set } = known;
    const good = set === null ? [] : goodOf(set, given);
    if (set !== null && good.length >= set.threshold) return await combineGiven(context, set, given);
    const found = await combineWithoutSet(sharesIn(given), known.isKey);
    if (found !== null) {
      noteFound(context, given, found.refused);
      return found.secret;
    }
    if (set === null) throw noneGiveIt(given);
    noteRefused(context, set, given);
    throw tooFewShares(set, given);
  } finally {
    disposeAll(sharesIn(given));
  }
}

function noteFound(
  { output }: Context,
  given: readonly GivenShare[],
  refused: readonly RefusedShare[],
): void {
  const read = given.filter(({ share }) => share !== null);
  for (const { from } of given.filter(({ share }) => share === null)) refuse(from, null, 'mistyped-share');
  for (const { position, index, code } of refused) refuse(read[position]?.from ?? '', index, code);
  output.note('The shares are of another set of the same key: what they give is the key of this archive.');

  function refuse(from: string, index: number | null, code: RefusedShare['code']): void {
    const event = { event: 'share-refused', from, holder: null, code };
    output.event(event);
    output.note(`${from}${index === null ? '' : ` (share ${index} of its set)`}: ${shareText(code)}`);
  }
}

function noneGiveIt(given: readonly GivenShare[]): CliError {
  const read = sharesIn(given).length;
  return new CliError(
    'too-few-shares',
    EXIT.usage,
    `shares that could be read: ${read}; they do not give the key of this archive`,
    'There are too few of one set, or wrong ones among them. With --set, the file archive-key.set of these sheets, it is said of each whether it is good.',
  );
}
