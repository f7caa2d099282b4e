import { readIdentities } from '../archive-identities.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { openArchive, type OpenChoice } from '../open-archive.ts';
import { assertNewPlace } from '../plain-folder.ts';

/** `keytide open`: an archive in the clear, with the key in a file. */
export async function openWithKey(
  context: Context,
  path: string,
  choice: OpenChoice & { readonly key: string },
): Promise<ExitCode> {
  await assertNewPlace(choice.to, path);
  return await openArchive(context, { path, identities: await readIdentities(choice.key) }, choice);
}
