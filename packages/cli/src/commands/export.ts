import {
  readSignedManifest,
  type ArchiveFiles,
  type ArchiveFilter,
  type ArchiveStats,
  type Destination,
  type ExportProgress,
  type SignedManifest,
} from '@keytide/archive';
import type { ObjectLock } from '@keytide/archive/node';
import {
  acknowledgeArchive,
  acknowledgedThrough,
  exportOrganisation,
  type Acknowledgement,
} from '@keytide/client/export';
import { archiveRecipient, sorted, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withDestination } from '../archive-place.ts';
import { lacksOnlyApprovals, requireSame } from '../archive-report.ts';
import { readRecipients } from '../archive-recipients.ts';
import { summaryLines, summaryOf } from '../archive-summary.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findMember } from '../find.ts';
import { organisation, type Keytide } from '../organisation.ts';
import { createProgress, type Progress } from '../progress.ts';
import { currentSet, givenSet, type GivenSet } from '../set-along.ts';
import { assertSpan, usageError } from '../usage.ts';
import { checkArchive, readCheckedStats, soundManifest } from './verify.ts';

/** What is exported, for whom, and whether the relay is told. */
export interface ExportChoice {
  readonly since?: string;
  readonly recipient: readonly string[];
  /** A file with the signed set of the archive key's shares. */
  readonly set?: string;
  readonly member: readonly string[];
  readonly collection: readonly string[];
  readonly from?: number;
  readonly until?: number;
  readonly offline?: true;
  /** With a bucket; milliseconds since 1970. */
  readonly lockUntil?: number;
  readonly lockMode: 'governance' | 'compliance';
  /** Left out: unless something could not be read for want of keys, or an attachment is missing. */
  readonly acknowledge?: boolean;
}

/** What the relay was told, or why it was not. */
type Told = Acknowledgement | 'not-asked' | 'offline' | 'unsound';

/** `keytide export`: an archive of everything, or of what is chosen. Stopped, the same command goes on. */
export async function exportArchiveTo(
  context: Context,
  place: string,
  choice: ExportChoice,
): Promise<ExitCode> {
  const work = (destination: Destination): Promise<ExitCode> =>
    exportInto(context, { place, destination }, choice);
  return await withDestination(place, work, lockOf(choice));
}

async function exportInto(
  context: Context,
  { place, destination }: { place: string; destination: Destination },
  choice: ExportChoice,
): Promise<ExitCode> {
  const { output, signal } = context;
  const recipients = await readRecipients(choice.recipient);
  const keySet = await givenSet(choice.set ?? null, choice.since ?? null);
  try {
    return await withDevice(context, async (client) => {
      const { org } = client;
      const since = choice.since === undefined ? null : await soundManifest(context, choice.since, { org });
      if (!choice.offline) await untilOnline(context, client);
      const filter = filterOf(client, choice);
      const untold = await untoldIn(destination, client, { since, filter, choice, recipients });
      if (untold !== null)
        output.note('It is whole already: what is left is to verify it and to tell the relay.');
      const { signed } =
        untold ??
        (await exportOrganisation(client, {
          ...{ destination, recipients, since, signal, filter },
          archiveKeySet: setAlong(context, client, keySet),
          isOffline: choice.offline === true,
          onProgress: progressTo(context),
        }));
      // Before anybody may forget by it: what is on the disk, read again.
      const report = await checkArchive(context, destination, {
        ...{ org, ...(since === null ? {} : { previous: since }) },
      });
      const { verdict } = report;
      if (report.archive !== null) requireSame(report, signed);
      const stats = await readCheckedStats(destination, report);
      const untellable = lacksOnlyApprovals(report) ? 'approval-needed' : 'unsound';
      const told = verdict === 'sound' ? await tellRelay(client, stats, choice) : untellable;
      output.result({ archive: place, ...summaryOf(stats), verdict, relay: told }, [
        ...summaryLines(stats, report.archive?.filterMembers),
        `${'verified'.padEnd(12)} ${verdict}`,
        `${'relay'.padEnd(12)} ${TOLD[told]}`,
      ]);
      if (told === 'approval-needed') return EXIT.refused;
      return verdict === 'sound' ? EXIT.ok : EXIT.unsound;
    });
  } catch (error) {
    if (signal.aborted) output.note(`Stopped. What is whole stays in ${place}: the same command goes on.`);
    throw error;
  }
}

/** @throws CliError `usage` */
function lockOf({ lockUntil, lockMode }: ExportChoice): ObjectLock | undefined {
  if (lockUntil === undefined) return undefined;
  if (lockUntil <= Date.now()) throw usageError('--lock-until is over', 'Give a date to come.');
  return { mode: lockMode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', untilMs: lockUntil };
}

/** What goes along, and says so where nothing does. @throws CliError as `currentSet` */
function setAlong({ output }: Context, client: Keytide, given: GivenSet | null): Uint8Array | null {
  const set = currentSet(client, given);
  if (set === null && client.policy.archiveKey !== undefined)
    output.note(
      'It has no copy of the set of shares: keep archive-key.set beside it, or stop and give --set FILE.',
    );
  return set;
}

/** This very export, where it is whole, and was stopped before the relay was told; else `null`. */
async function untoldIn(
  files: ArchiveFiles,
  client: Keytide,
  {
    since,
    filter,
    choice,
    recipients,
  }: {
    since: SignedManifest | null;
    filter: ArchiveFilter | null;
    choice: ExportChoice;
    recipients: readonly Uint8Array[];
  },
): Promise<{ signed: SignedManifest } | null> {
  if (filter !== null || choice.offline || choice.acknowledge === false) return null;
  const found = new Set<string>();
  for await (const { name } of files.list()) found.add(name);
  if (!found.has('signed-manifest') || found.has('plan.json')) return null;
  const signed = await readSignedManifest(files);
  const { manifest } = signed;
  const previous = since === null ? null : toHex(primitives.sha256(since.bytes));
  if (manifest.org !== client.org || manifest.device !== client.device || manifest.filter !== null)
    return null;
  if ((manifest.previous && toHex(manifest.previous)) !== previous) return null;
  const { archiveKey } = client.policy;
  const keys = archiveKey === undefined ? recipients : [archiveKey, ...recipients];
  const names = sorted(keys.map((key) => archiveRecipient(primitives, key)));
  if (names.join() !== sorted(manifest.recipients).join()) return null;
  const isTold = (manifest.groups[0]?.throughSeq ?? 0) <= (await acknowledgedThrough(client));
  return isTold ? null : { signed };
}

async function tellRelay(
  client: Keytide,
  stats: ArchiveStats,
  { acknowledge, offline }: ExportChoice,
): Promise<Told> {
  if (acknowledge === false) return 'not-asked';
  if (offline) return 'offline';
  return await acknowledgeArchive(client, stats, { evenIfLacking: acknowledge === true });
}

const TOLD: Readonly<Record<Told, string>> = {
  acknowledged: 'told: it may forget all this at its time',
  empty: 'not told: there is nothing yet that it could forget',
  filtered: 'not told: this is not everything',
  'begins-later': 'not told: nobody has exported, from this device, what comes before it',
  'other-log': 'not told: this is not the log that this device has',
  'not-asked': 'not told, as you said',
  offline: 'not told: offline',
  'approval-needed':
    'not told: other admins are yet to approve it (`keytide approve-export`); then the same command again',
  unsound: 'not told: the archive is not sound. `keytide verify` says what is wrong with it',
  'keys-missing':
    'not told: keys were missing for a part. Export with a device that has them, or give --acknowledge',
  'attachments-missing':
    'not told: attachments could not be had. Export again elsewhere, or give --acknowledge',
};

function progressTo({ output }: Context): (progress: ExportProgress) => void {
  const log = createProgress(output, 'log', process.stderr);
  let files: Progress | null = null;
  return ({ phase, done, total }) => {
    if (phase === 'log') return log(done, total);
    files ??= createProgress(output, 'files', process.stderr);
    files(done, total);
  };
}

/** @throws CliError `unknown-member`, `usage` */
function filterOf(client: Keytide, { member, collection, from, until }: ExportChoice): ArchiveFilter | null {
  const unknown = collection.find((name) => !Object.hasOwn(organisation, name));
  if (unknown !== undefined)
    throw usageError(
      `no collection is called ${unknown}`,
      `Give one of ${Object.keys(organisation).join(', ')}.`,
    );
  assertSpan(from, until);
  const filter = {
    // Who has left is not in the list of members, and has an id all the same.
    ...(member.length === 0
      ? {}
      : { members: member.map((name) => (ID.test(name) ? name : findMember(client, name).id)) }),
    ...(collection.length === 0 ? {} : { collections: collection }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(until === undefined ? {} : { toMs: until }),
  };
  return Object.keys(filter).length === 0 ? null : filter;
}

const ID = /^[0-9a-f]{32}$/;
