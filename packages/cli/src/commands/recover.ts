import { hybridIdentity, readArchiveKeySet } from '@keytide/archive';
import { MAX_QUORUM_SET_BYTES, type Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive } from '../archive-place.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { loggedSet, setError } from '../known-set.ts';
import { openArchive, type OpenChoice } from '../open-archive.ts';
import { assertNewPlace } from '../plain-folder.ts';
import { keysOf, recoveredKey } from '../recovered-key.ts';

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

/** The seed that the shares give. @throws CliError as `setError`, `recoveredKey` */
async function combined(
  context: Context,
  path: string,
  { set: file, share = [] }: RecoverChoice,
): Promise<Secret> {
  const wire = file === undefined ? {} : { wire: await readFileBytes(file, MAX_QUORUM_SET_BYTES) };
  const { known, isKey } = await withArchive(path, async (files) => ({
    known: await readArchiveKeySet({ primitives, files, ...wire }),
    isKey: await keysOf(files),
  })).catch((error: unknown) => {
    throw setError(error);
  });
  const lines = known === null ? ['The archive has no copy of the set of shares.'] : loggedSet(known).lines;
  for (const line of lines) context.output.note(line);
  return await recoveredKey(context, { set: known?.set ?? null, isKey }, share);
}
