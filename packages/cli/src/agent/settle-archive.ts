import {
  readArchiveStats,
  readSignedManifest,
  verifyArchive,
  type ArchiveFiles,
  type SignedManifest,
} from '@keytide/archive';
import { equalBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive, withDestination } from '../archive-place.ts';
import { lacksAttachments, lacksKeys } from '../commands/export.ts';
import { lacksOnlyApprovals } from '../archive-report.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { archiveIn } from './archive-in.ts';
import { copyArchive } from './copy-archive.ts';
import { rootOf } from './roots.ts';
import type { Round } from './round.ts';
import { distrust, settle, startOver, type Pending, type Series } from './series.ts';

/** What is left to do, and whether trying again before the next archive would only repeat it. */
interface Left {
  readonly code: string | null;
  readonly isPutOff: boolean;
}

/** What became of an archive at the destinations. */
interface Places {
  /** At how many it is sound. */
  readonly sound: number;
  /** At how many it is whole: sound but for approvals. */
  readonly whole: number;
  /** What is wrong with one of them. */
  readonly code: string | null;
}

/** A reading of an archive. */
interface Look {
  readonly signed: SignedManifest;
  /** Why the relay is not to be told. */
  readonly obstacle: string | null;
}

/** What is verified, and where. */
interface Judging {
  readonly name: string;
  readonly index: number;
  readonly since: SignedManifest | null;
  readonly signed: SignedManifest;
  readonly isTold: boolean;
}

const UNSOUND = 'unsound';
const ELSEWHERE = 'Give each destination a place of its own.';

/**
 * Does what is left to do for every archive, the oldest first.
 * @throws the signal's reason
 */
export async function settleAll(round: Round): Promise<Left> {
  const { memory, signal, codeOf } = round;
  let left: Left = { code: null, isPutOff: false };
  for (const { name } of memory.state.series.pending) {
    // By what became of one, others may be done with as well, or not to be relied on.
    const pending = memory.state.series.pending.find((one) => one.name === name);
    if (pending === undefined) continue;
    let found: Left;
    try {
      found = await settleOne(round, pending);
    } catch (error) {
      signal.throwIfAborted();
      found = { code: codeOf(error), isPutOff: false };
    }
    left = { code: left.code ?? found.code, isPutOff: left.isPutOff || found.isPutOff };
  }
  return left;
}

async function settleOne(round: Round, pending: Pending): Promise<Left> {
  const { memory, destinations, needed, tell } = round;
  const { name, isTold } = pending;
  const { signed, obstacle } = await firstLook(round, pending);
  const isShort = obstacle === 'keys-missing' || obstacle === 'attachments-missing';
  if (isShort && pending.previous === null && memory.state.series.told !== null) {
    // What cannot be had any more is in the archives that were told: one that goes on from them has the rest.
    await memory.keep({ series: distrust(memory.state.series, name) });
    await round.onArchived(false);
    return { code: obstacle, isPutOff: false };
  }
  if (obstacle !== null && pending.isEverywhere) return { code: obstacle, isPutOff: false };
  // In this very round: what was whole a week ago may be gone.
  const { sound, whole, code } = await places(round, pending, signed);
  if (code === UNSOUND && isTold) return { code, isPutOff: false };
  if (code === UNSOUND) return await putOff(round, code, distrust(memory.state.series, name));
  const isEverywhere = whole === destinations.length;
  const mayTell = !isTold && obstacle === null && sound >= needed;
  const told = mayTell ? await tellRelay(round, signed) : null;
  if (told !== null) tell({ event: 'settled', archive: name, relay: told });
  const isSettled = told === 'acknowledged' || told === 'not-asked';
  await memory.keep({
    series: settle(memory.state.series, name, { isEverywhere, isTold: isTold || isSettled }),
  });
  if (told === null || isSettled) return { code: obstacle ?? code, isPutOff: false };
  const [oldest] = memory.state.series.pending.filter((one) => !one.isTold);
  if (told === 'begins-later' && oldest?.name !== name) return { code: told, isPutOff: false };
  // There is nothing that it could wait for.
  return await putOff(round, told, startOver(distrust(memory.state.series, name)));
}

/** What an archive is, and why the relay is not to be told however sound it is: from what takes little reading. */
async function firstLook(round: Round, { name, isTold }: Pending): Promise<Look> {
  const { destinations, device, acknowledge } = round;
  await rootOf(destinations[0]);
  return await withArchive(archiveIn(destinations[0], name), async (files) => {
    const look = await lookAt(round, files, isTold);
    const { signed, obstacle } = look;
    if (isTold || acknowledge === 'never' || obstacle !== null) return look;
    const report = await verifyArchive({ primitives, files, org: device.org, quick: true });
    return { signed, obstacle: lacksOnlyApprovals(report) ? 'approval-needed' : null };
  });
}

/** What it says there that it lacks. */
async function lookAt({ acknowledge }: Round, files: ArchiveFiles, isTold: boolean): Promise<Look> {
  const stats = await readArchiveStats(files);
  const { signed } = stats;
  if (isTold || acknowledge !== 'readable') return { signed, obstacle: null };
  if (lacksKeys(stats)) return { signed, obstacle: 'keys-missing' };
  return { signed, obstacle: lacksAttachments(stats) ? 'attachments-missing' : null };
}

/**
 * Copies it to the other destinations, and verifies it at each where it then is. Nothing is verified, which reads all of
 * it, while too few have it for the relay to be told. Only the archive that is `signed` counts, by what the verification
 * itself has read of it: a place may show another at each reading.
 */
async function places(
  round: Round,
  { name, previous, isTold }: Pending,
  signed: SignedManifest,
): Promise<Places> {
  const { destinations, needed, signal, codeOf } = round;
  const [first] = destinations;
  const since = previous === null ? null : await withArchive(archiveIn(first, previous), readSignedManifest);
  const found = { sound: 0, whole: 0, code: null as string | null };
  const there = [0];
  const roots = new Set([await rootOf(first)]);
  for (const index of destinations.keys()) {
    if (index === 0) continue;
    try {
      const root = await rootOf(destinations[index] as string);
      if (roots.has(root))
        throw new CliError('same-destination', EXIT.usage, 'two destinations are one place', ELSEWHERE);
      roots.add(root);
      await copyTo(round, name, index);
      there.push(index);
    } catch (error) {
      signal.throwIfAborted();
      found.code ??= codeOf(error);
    }
  }
  if (there.length < (isTold ? destinations.length : needed)) return found;
  for (const index of there) {
    try {
      const { isSound, isWhole, obstacle } = await judged(round, { name, index, since, signed, isTold });
      if (isSound && obstacle === null) found.sound += 1;
      if (isWhole) found.whole += 1;
      else if (index === 0) return { ...found, code: UNSOUND };
      else found.code ??= 'copy-unsound';
      found.code ??= obstacle;
    } catch (error) {
      signal.throwIfAborted();
      if (index === 0) throw error;
      found.code ??= codeOf(error);
    }
  }
  return found;
}

async function copyTo({ destinations, signal }: Round, name: string, index: number): Promise<void> {
  const [first] = destinations;
  await withArchive(archiveIn(first, name), (from) =>
    withDestination(archiveIn(destinations[index] as string, name), (to) => copyArchive(from, to, signal)),
  );
}

async function judged(
  round: Round,
  { name: archive, index, since, signed, isTold }: Judging,
): Promise<{ isSound: boolean; isWhole: boolean; obstacle: string | null }> {
  const { destinations, device, signal, tell } = round;
  const previous = since === null ? {} : { previous: since };
  return await withArchive(archiveIn(destinations[index] as string, archive), async (files) => {
    const report = await verifyArchive({ primitives, files, org: device.org, signal, ...previous });
    const isIt = report.archive !== null && equalBytes(report.archive.manifest.bytes, signed.bytes);
    const verdict = isIt ? report.verdict : UNSOUND;
    const codes = new Set<string>(report.findings.map(({ code }) => code));
    const findings = [...codes, ...(isIt ? [] : ['other-archive'])];
    tell({ event: 'verified', archive, destination: index + 1, verdict, findings });
    const isSound = verdict === 'sound';
    const isWhole = isSound || (isIt && lacksOnlyApprovals(report));
    return { isSound, isWhole, obstacle: isSound ? (await lookAt(round, files, isTold)).obstacle : null };
  });
}

async function tellRelay({ device, acknowledge }: Round, signed: SignedManifest): Promise<string> {
  return acknowledge === 'never' ? 'not-asked' : await device.acknowledge(signed);
}

/** To be made up for by the next archive, in its time: at once would only repeat it. */
async function putOff({ memory }: Round, code: string, series: Series): Promise<Left> {
  await memory.keep({ series });
  return { code, isPutOff: true };
}
