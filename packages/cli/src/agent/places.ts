import {
  readArchiveStats,
  readSignedManifest,
  verifyArchive,
  type ApprovalCount,
  type ArchiveFiles,
  type ArchiveStats,
  type SignedManifest,
} from '@keytide/archive';
import { lackingIn } from '@keytide/client/export';
import { equalBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive, withDestination } from '../archive-place.ts';
import { lacksOnlyApprovals } from '../archive-report.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { archiveIn } from './archive-in.ts';
import { copyArchive } from './copy-archive.ts';
import { rootOf } from './roots.ts';
import type { Round } from './round.ts';
import type { Pending } from './series.ts';

/** What became of an archive at the destinations. */
interface Places {
  /** At how many it is sound. */
  readonly sound: number;
  /** At how many it is whole: sound but for approvals. */
  readonly whole: number;
  /** What is wrong with one of them. */
  readonly code: string | null;
  /** What was verified, as the last place that counts says it; `null` where none does. */
  readonly stats: ArchiveStats | null;
}

/** A reading of an archive. */
export interface Look {
  readonly stats: ArchiveStats;
  /** Why the relay is not to be told. */
  readonly obstacle: string | null;
  /** How many admins have signed it, and how many are to; `null` where that was not looked at. */
  readonly approvals: ApprovalCount | null;
}

/** What is verified, and where. */
interface Judging {
  readonly name: string;
  readonly index: number;
  readonly since: SignedManifest | null;
  readonly signed: SignedManifest;
  readonly isTold: boolean;
}

/** Not the archive, or not as it was written. */
export const UNSOUND = 'unsound';
const ELSEWHERE = 'Give each destination a place of its own.';

/** What it says there that it lacks: of what was verified there, if it was. */
export async function lookAt(
  { acknowledge }: Round,
  files: ArchiveFiles,
  { isTold, verified }: { readonly isTold: boolean; readonly verified: SignedManifest | null },
): Promise<Look> {
  const stats = await readArchiveStats(
    files,
    verified === null ? undefined : { primitives, manifest: verified },
  );
  const obstacle = isTold || acknowledge !== 'readable' ? null : lackingIn(stats);
  return { stats, obstacle, approvals: null };
}

/**
 * Copies it to the other destinations, and verifies it at each where it then is. Nothing is verified, which reads all of
 * it, while too few have it for the relay to be told. Only the archive that is `signed` counts, by what the verification
 * itself has read of it: a place may show another at each reading.
 */
export async function places(
  round: Round,
  { name, previous, isTold }: Pick<Pending, 'name' | 'previous' | 'isTold'>,
  signed: SignedManifest,
): Promise<Places> {
  const { destinations, needed, signal, codeOf } = round;
  const [first] = destinations;
  const since = previous === null ? null : await withArchive(archiveIn(first, previous), readSignedManifest);
  const found = { sound: 0, whole: 0, code: null as string | null, stats: null as ArchiveStats | null };
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
      const { stats, isWhole, obstacle } = await judged(round, { name, index, since, signed, isTold });
      if (stats !== null && obstacle === null) {
        found.sound += 1;
        found.stats = stats;
      }
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
): Promise<{ stats: ArchiveStats | null; isWhole: boolean; obstacle: string | null }> {
  const { destinations, device, signal, tell } = round;
  const previous = since === null ? {} : { previous: since };
  return await withArchive(archiveIn(destinations[index] as string, archive), async (files) => {
    const report = await verifyArchive({ primitives, files, org: device.org, signal, ...previous });
    const found = report.archive?.manifest ?? null;
    // Another exporter's, also one who was removed since, may be sealed to whoever they like.
    const isOwn = isTold || found?.manifest.device === device.device;
    const isIt = found !== null && equalBytes(found.bytes, signed.bytes) && isOwn;
    const verdict = isIt ? report.verdict : UNSOUND;
    const codes = new Set<string>(report.findings.map(({ code }) => code));
    const findings = [...codes, ...(isIt ? [] : ['other-archive'])];
    tell({ event: 'verified', archive, destination: index + 1, verdict, findings });
    const isSound = verdict === 'sound';
    const isWhole = isSound || (isIt && lacksOnlyApprovals(report));
    if (!isSound) return { stats: null, isWhole, obstacle: null };
    return { isWhole, ...(await lookAt(round, files, { isTold, verified: signed })) };
  });
}
