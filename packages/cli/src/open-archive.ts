import {
  readArchive,
  type AgeIdentity,
  type ArchiveDamage,
  type ArchiveFilter,
  type ArchiveReport,
  type OpenedArchive,
} from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive } from './archive-place.ts';
import {
  hasOnlyStrangers,
  lacksOnlyApprovals,
  reportLines,
  reportOf,
  requireSame,
  STRANGERS,
} from './archive-report.ts';
import { checkArchive, orgOf } from './commands/verify.ts';
import type { Context } from './context.ts';
import type { Format } from './choices.ts';
import { CliError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { assertSpan } from './usage.ts';
import { verdictText } from './verdict-text.ts';
import { writePlain } from './write-plain.ts';

/** What of an archive is opened, and where to. */
export interface OpenChoice {
  readonly to: string;
  readonly format: readonly Format[];
  readonly member: readonly string[];
  readonly collection: readonly string[];
  readonly from?: number;
  readonly until?: number;
  readonly quick?: true;
  readonly unsound?: true;
  readonly org?: string;
}

const DEFAULT_FORMATS: readonly Format[] = ['html', 'jsonl'];

/**
 * Opens an archive with its key: verifies it first, and writes nothing of one that is not sound, unless that is asked
 * for. Needs no device, no relay and no home.
 */
export async function openArchive(
  context: Context,
  { path, identities }: { readonly path: string; readonly identities: readonly AgeIdentity[] },
  choice: OpenChoice,
): Promise<ExitCode> {
  const { output } = context;
  const { to, quick = false } = choice;
  assertSpan(choice.from, choice.until);
  const org = choice.org === undefined ? {} : { org: orgOf(choice.org) };
  return await withArchive(path, async (files) => {
    const report = await checkArchive(context, files, { ...org, identities, quick });
    const isUnapproved = lacksOnlyApprovals(report);
    const isSound = report.verdict === 'sound' || isUnapproved;
    if (!isSound && !choice.unsound) {
      output.result({ verification: reportOf(report), folder: null }, reportLines(report));
      output.note(`Nothing was written. ${adviceOf(report)}`);
      return EXIT.unsound;
    }
    for (const line of isSound ? [] : reportLines(report)) output.note(line);
    if (isUnapproved)
      output.note('WARNING: fewer admins have approved this archive than the policy asks for.');
    const damage = new Map<string, ArchiveDamage>();
    const onDamage = (found: ArchiveDamage): void =>
      void damage.set(`${found.group}/${found.stretch}`, found);
    const opened = await readArchive({
      primitives,
      files,
      identities,
      ...org,
      ...(!isSound && { onDamage }),
    });
    if (isSound) requireSame(report, opened.signed);
    const filter = filterOf(opened, choice);
    const formats = choice.format.length === 0 ? DEFAULT_FORMATS : choice.format;
    const what = { path, to, opened, report, formats, filter, isDamageExpected: !isSound };
    output.note(
      `WARNING: writing plaintext to ${to}: whoever gets at it reads it. Delete it when it has served.`,
    );
    const written = await writePlain(context, what);
    const damaged = [...damage.values()];
    output.result({ verification: reportOf(report), folder: to, formats, ...written, damaged }, [
      `${to}: ${written.files} files, ${written.sizeBytes} bytes, in the clear`,
      ...written.leftOut.map(({ file, code }) => `left out: ${file}, ${code}`),
      ...damaged.map(
        ({ stretch, code }) =>
          `damaged: ${stretch === null ? 'what is beside the log' : `entries ${stretch}`}, ${code}`,
      ),
      `the archive is ${isUnapproved ? 'sound, but for approvals' : verdictText(report)}`,
    ]);
    return isSound ? EXIT.ok : EXIT.unsound;
  });
}

/** What to do about an archive that is not sound. */
function adviceOf(report: ArchiveReport): string {
  return hasOnlyStrangers(report)
    ? STRANGERS
    : 'Look for another copy; --unsound opens what this one still has.';
}

/** @throws CliError `unknown-member` */
function filterOf(
  { members }: OpenedArchive,
  { member, collection, from, until }: OpenChoice,
): ArchiveFilter {
  const ids = member.map((name) => {
    const [found, ...others] = members.filter(({ id, handle }) => id === name || handle === name);
    if (found !== undefined && others.length === 0) return found.id;
    const message = `${found === undefined ? 'no' : 'more than one'} member in the archive has this name`;
    const next = 'Give the id of the member: data/membership.jsonl and the pages have them.';
    throw new CliError('unknown-member', EXIT.usage, message, next);
  });
  return {
    ...(ids.length === 0 ? {} : { members: ids }),
    ...(collection.length === 0 ? {} : { collections: collection }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(until === undefined ? {} : { toMs: until }),
  };
}
