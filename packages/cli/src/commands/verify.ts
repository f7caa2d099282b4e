import {
  readArchiveStats,
  verifyArchive,
  type ArchiveFiles,
  type ArchiveReport,
  type ArchiveStats,
  type SignedManifest,
  type VerifyLevel,
  type VerifyOptions,
} from '@keytide/archive';
import { fromHex, orgId, toHex, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { readIdentities } from '../archive-identities.ts';
import { withArchive } from '../archive-place.ts';
import { hasOnlyStrangers, lacksOnlyApprovals, reportLines, reportOf, STRANGERS } from '../archive-report.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { createProgress, type Progress } from '../progress.ts';
import { usageError } from '../usage.ts';

/** How closely an archive is looked at, and what it is held against. */
export interface VerifyChoice {
  readonly quick?: true;
  /** How much is opened, above 0 to 1. */
  readonly sample?: number;
  readonly full?: true;
  /** A file with identities of age. */
  readonly key?: string;
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
  const options = { ...org, ...previous, ...(await opening(choice)), quick: choice.quick ?? false };
  const report = await withArchive(path, (files) => checkArchive(context, files, options));
  output.result(reportOf(report), reportLines(report));
  if (hasOnlyStrangers(report)) output.note(STRANGERS);
  if (report.archive?.isOrgExpected === false)
    output.note('That it is of this organisation is its own word: --org holds it against what you know.');
  return report.verdict === 'sound' ? EXIT.ok : EXIT.unsound;
}

/** Verifies an archive, and shows how far it is. */
export function checkArchive(
  { output, signal }: Context,
  files: ArchiveFiles,
  options: Omit<VerifyOptions, 'primitives' | 'files' | 'signal' | 'onProgress'>,
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

/** With what it is opened, and how much of it. @throws CliError `usage`; ArchiveError `bad-key` */
async function opening({
  quick,
  sample,
  full,
  key,
}: VerifyChoice): Promise<Pick<VerifyOptions, 'identities' | 'sample'>> {
  if ([quick, sample, full].filter((given) => given !== undefined).length > 1)
    throw usageError('--quick, --sample and --full exclude each other', 'Give one of them.');
  if (key === undefined) {
    if (sample === undefined && full === undefined) return {};
    throw usageError('what is sealed takes a key to look at', 'Give it with --key FILE.');
  }
  const identities = await readIdentities(key);
  // Nobody could foresee it when the archive was written.
  const seed = toHex(nodeRandom(16));
  return { identities, ...(sample === undefined ? {} : { sample: { fraction: sample, seed } }) };
}

/**
 * What is in an archive that was verified, and in no other that the place may show by now; in one that was refused, what
 * it says.
 * @throws as `readArchiveStats`
 */
export async function readCheckedStats(files: ArchiveFiles, report: ArchiveReport): Promise<ArchiveStats> {
  const { archive, verdict } = report;
  if (archive === null || (verdict !== 'sound' && !lacksOnlyApprovals(report)))
    return await readArchiveStats(files);
  return await readArchiveStats(files, { primitives, manifest: archive.manifest });
}

/**
 * What an archive that is to be gone on from is, by signatures that were verified; admins may be yet to approve it.
 * @throws CliError `usage` for one of another organisation, `previous-unsound`
 */
export async function soundManifest(
  context: Context,
  path: string,
  org: Pick<VerifyOptions, 'org'>,
): Promise<SignedManifest> {
  return await withArchive(path, async (files) => {
    const report = await checkArchive(context, files, { ...org, quick: true });
    const { archive } = report;
    if (archive !== null && (report.verdict === 'sound' || lacksOnlyApprovals(report)))
      return archive.manifest;
    refuseOtherOrg(report, path);
    const next = '`keytide verify` of that one says what is wrong with it.';
    throw new CliError('previous-unsound', EXIT.unsound, 'the archive before is not sound', next);
  });
}

/** An archive is no worse for being of others: it is the wrong one. @throws CliError `usage` */
export function refuseOtherOrg({ findings }: ArchiveReport, path: string): void {
  if (findings.some(({ code, file }) => code === 'other-org' && file === 'signed-manifest'))
    throw usageError(
      `${path} is an archive of another organisation`,
      'Give one of this device’s organisation.',
    );
}

/** @throws CliError `usage` */
export function orgOf(text: string): OrgId {
  const bytes = fromHex(text);
  if (bytes?.length !== 32)
    throw usageError('--org is no organisation', 'Give its id, 64 digits, as `keytide status` shows it.');
  return orgId(bytes);
}
