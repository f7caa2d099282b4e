import { hybridIdentity, readArchiveKeySet } from '@keytide/archive';
import { MAX_QUORUM_SET_BYTES, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { disposeAll } from '../archive-key-files.ts';
import { withArchive } from '../archive-place.ts';
import { combineGiven } from '../combine-given.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { sharesIn } from '../given-shares.ts';
import { enoughShares } from '../enough-shares.ts';
import { loggedSet, setError } from '../known-set.ts';
import { openArchive, type OpenChoice } from '../open-archive.ts';
import { assertNewPlace } from '../plain-folder.ts';

/** As `open`, and the shares. */
export interface RecoverChoice extends OpenChoice {
  readonly set?: string;
  readonly share?: readonly string[];
}

/** `keytide recover`: an archive in the clear, with enough shares of its key; the key is in memory alone. */
export async function recoverArchive(
  context: Context,
  path: string,
  choice: RecoverChoice,
): Promise<ExitCode> {
  await assertNewPlace(choice.to, path);
  const secret = await combined(context, path, choice);
  try {
    const key = secret.use((seed) => primitives.decapsulator(seed));
    return await openArchive(context, { path, identities: [hybridIdentity(primitives, key)] }, choice);
  } finally {
    secret.dispose();
  }
}

/** The seed that the shares give. @throws CliError as `setError`, `combineGiven`, and `no-set` */
async function combined(
  context: Context,
  path: string,
  { set: file, share = [] }: RecoverChoice,
): Promise<Secret> {
  const wire = file === undefined ? {} : { wire: await readFileBytes(file, MAX_QUORUM_SET_BYTES) };
  const known = await withArchive(path, (files) => readArchiveKeySet({ primitives, files, ...wire })).catch(
    (error: unknown) => {
      throw setError(error);
    },
  );
  if (known === null)
    throw new CliError(
      'no-set',
      EXIT.usage,
      'this archive has no copy of the set of shares',
      'Give the file archive-key.set, which every holder has, with --set.',
    );
  for (const line of loggedSet(known).lines) context.output.note(line);
  const given = await enoughShares(context, known.set, share);
  try {
    return await combineGiven(context, known.set, given);
  } finally {
    disposeAll(sharesIn(given));
  }
}
