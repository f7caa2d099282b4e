import { ArchiveError, readIdentity, type AgeIdentity } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { readFileLines } from './file-bytes.ts';
import { SHARE } from './given-shares.ts';

/** The keys in a file of age: one a line, where `#` begins a remark. @throws CliError `bad-key`, `file-unreadable` */
export async function readIdentities(path: string): Promise<AgeIdentity[]> {
  const lines = await readFileLines(path);
  if (lines.some((line) => SHARE.test(line)))
    throw noIdentity(
      path,
      'It is a sheet with a share: `keytide recover` opens an archive with enough of them.',
    );
  try {
    const identities = lines.map((line) => readIdentity(primitives, line));
    if (identities.length > 0) return identities;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
  }
  throw noIdentity(
    path,
    'Give the file that `keytide archive-key combine` wrote, with a line that begins with AGE-SECRET-KEY-PQ-1.',
  );
}

function noIdentity(path: string, next: string): CliError {
  return new CliError('bad-key', EXIT.usage, `${path} has no identity of age that opens archives`, next);
}
