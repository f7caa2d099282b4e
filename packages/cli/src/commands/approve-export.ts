import {
  addApproval,
  ArchiveError,
  type ApprovalCount,
  type ArchiveReport,
  type ArchiveStats,
} from '@keytide/archive';
import { approveArchive, type ArchiveApproval } from '@keytide/client/export';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { isFolder, withArchive, withDestination } from '../archive-place.ts';
import { lacksOnlyApprovals, reportLines, reportOf } from '../archive-report.ts';
import { summaryLines } from '../archive-summary.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { writeNewFile } from '../new-file.ts';
import { usageError } from '../usage.ts';
import { checkArchive, readCheckedStats } from './verify.ts';

/** Where an approval goes, or which ones come. */
export interface ApproveChoice {
  readonly out?: string;
  readonly add?: readonly string[];
  readonly offline?: true;
  readonly yes?: true;
}

const MAX_APPROVAL_BYTES = 1024;

/** `keytide approve-export`: a further admin's signature under an archive, which is verified before. */
export async function approveExport(
  context: Context,
  path: string,
  choice: ApproveChoice,
): Promise<ExitCode> {
  if (choice.out === undefined && !path.startsWith('s3://') && !(await isFolder(path)))
    throw usageError('nothing can be put into a ZIP file', 'Give --out FILE, for whoever has the folder.');
  if (choice.add !== undefined) return await addApprovals(context, path, choice.add);
  return await withDevice(context, async (client) => {
    if (!choice.offline) await untilOnline(context, client);
    const given = await withArchive(path, async (files) => {
      const report = await checkArchive(context, files, { org: client.org });
      if (report.verdict !== 'sound' && !lacksOnlyApprovals(report)) return report;
      const stats = await readCheckedStats(files, report);
      return await approvalOf(context, { stats, report }, (signed) => approveArchive(client, signed), choice);
    });
    if ('verdict' in given) {
      context.output.result(reportOf(given), reportLines(given));
      context.output.note('Nothing was signed.');
      return EXIT.unsound;
    }
    const { approval, isCompared } = given;
    if (choice.out === undefined)
      await withDestination(path, (archive) => addApproval({ primitives, archive }, approval));
    else await writeNewFile(choice.out, approval);
    if (!isCompared)
      context.output.note(
        'This device does not have the log at the end of the archive: it was not compared with it.',
      );
    return await said(context, path, {
      ...(choice.out !== undefined && { approval: choice.out }),
      isCompared,
    });
  });
}

/** Asks, and signs. */
async function approvalOf(
  context: Context,
  { stats, report }: { readonly stats: ArchiveStats; readonly report: ArchiveReport },
  sign: (signed: ArchiveStats['signed']) => ArchiveApproval,
  { yes }: ApproveChoice,
): Promise<ArchiveApproval> {
  // Whoever may not is told before being asked.
  let given: ArchiveApproval;
  try {
    given = sign(stats.signed);
  } catch (error) {
    if (!(error instanceof ArchiveError && error.code === 'not-permitted')) throw error;
    const next = 'Approvals take an admin who has not made the archive: ask another one (`keytide members`).';
    throw new CliError('not-permitted', EXIT.refused, 'this device may not approve this archive', next);
  }
  if (!yes) {
    for (const line of summaryLines(stats, report.archive?.filterMembers)) context.output.note(line);
    await confirm(context, 'It is sound. Approve this export?');
  }
  return given;
}

/** Puts what other admins have signed elsewhere into the archive; takes no device. */
async function addApprovals(context: Context, path: string, approvals: readonly string[]): Promise<ExitCode> {
  await withDestination(path, async (archive) => {
    for (const file of approvals) {
      const approval = await readFileBytes(file, MAX_APPROVAL_BYTES);
      await addApproval({ primitives, archive }, approval).catch((error: unknown) => {
        if (!(error instanceof ArchiveError && error.code === 'malformed')) throw error;
        const next = 'Give the file that `keytide approve-export --out` wrote.';
        throw new CliError('file-unreadable', EXIT.usage, `${file} is no approval`, next);
      });
    }
  });
  return await said(context, path, { added: approvals.length });
}

/** How many there are now, and how many it takes. */
async function said(context: Context, path: string, what: object): Promise<ExitCode> {
  const { archive }: ArchiveReport = await withArchive(path, (files) =>
    checkArchive(context, files, { quick: true }),
  );
  const approvals = archive?.approvals ?? null;
  context.output.result({ archive: path, ...what, approvals }, [approvalText(approvals)]);
  if (approvals !== null && approvals.given >= approvals.needed)
    context.output.note('There are enough: whoever made it tells the relay with the same `keytide export`.');
  return EXIT.ok;
}

function approvalText(approvals: ApprovalCount | null): string {
  if (approvals === null) return 'approved';
  const { given, needed } = approvals;
  return `admins who have signed it: ${given}${needed === 0 ? ', and the policy asks for none' : ` of ${needed}`}`;
}
