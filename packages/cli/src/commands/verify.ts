import {
  readSignedManifest,
  verifyArchive,
  type ArchiveFiles,
  type ArchiveReport,
  type SignedManifest,
  type VerifyLevel,
  type VerifyOptions,
} from '@keytide/archive';
import { fromHex, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive } from '../archive-place.ts';
import { reportLines, reportOf } from '../archive-report.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { createProgress, type Progress } from '../progress.ts';
import { usageError } from '../usage.ts';

/** How closely an archive is looked at, and what it is held against. */
export interface VerifyChoice {
  readonly quick?: true;
  readonly previous?: string;
  readonly org?: string;
}

/** `keytide verify`: whether an archive is whole and true, from nothing but the archive. */
export async function verifyArchiveAt(
  context: Context,
  path: string,
  choice: VerifyChoice,
): Promise<ExitCode> {
  const { output } = context;
  const org = choice.org === undefined ? {} : { org: orgOf(choice.org) };
  const previous =
    choice.previous === undefined ? {} : { previous: await soundManifest(context, choice.previous, org) };
  const options = { ...org, ...previous, quick: choice.quick ?? false };
  const report = await withArchive(path, (files) => checkArchive(context, files, options));
  output.result(reportOf(report), reportLines(report));
  if (report.archive?.isOrgExpected === false)
    output.note('That it is of this organisation is its own word: --org holds it against what you know.');
  return report.verdict === 'sound' ? EXIT.ok : EXIT.unsound;
}

/** Verifies an archive, and shows how far it is. */
export function checkArchive(
  { output, signal }: Context,
  files: ArchiveFiles,
  options: Pick<VerifyOptions, 'org' | 'previous' | 'quick'>,
): Promise<ArchiveReport> {
  const bars = new Map<VerifyLevel, Progress>();
  return verifyArchive({
    ...{ ...options, primitives, files, signal },
    onProgress({ level, done, total }) {
      const bar = bars.get(level) ?? createProgress(output, level, process.stderr);
      bars.set(level, bar);
      bar(done, total);
    },
  });
}

/** What an archive that is to be gone on from is. @throws CliError `previous-unsound` */
async function soundManifest(
  context: Context,
  path: string,
  org: Pick<VerifyOptions, 'org'>,
): Promise<SignedManifest> {
  return await withArchive(path, async (files) => {
    const { verdict } = await checkArchive(context, files, { ...org, quick: true });
    if (verdict === 'sound') return await readSignedManifest(files);
    const next = '`keytide verify` of that one says what is wrong with it.';
    throw new CliError('previous-unsound', EXIT.unsound, 'the archive before is not sound', next);
  });
}

function orgOf(text: string) {
  const bytes = fromHex(text);
  if (bytes?.length !== 32)
    throw usageError('--org is no organisation', 'Give its id, 64 digits, as `keytide status` shows it.');
  return orgId(bytes);
}
