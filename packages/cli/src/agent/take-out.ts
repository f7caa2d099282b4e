import {
  ArchiveError,
  readSignedManifest,
  verifyArchive,
  type ArchiveErrorCode,
  type ArchiveReport,
  type Destination,
  type SignedManifest,
} from '@keytide/archive';
import { archiveRecipient, equalBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { withArchive, withDestination } from '../archive-place.ts';
import { lacksOnlyApprovals } from '../archive-report.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { givenSet } from '../set-along.ts';
import { archiveIn } from './archive-in.ts';
import type { Round } from './round.ts';
import { abandon, begin, finish, skip, startOver, type Begun, type Series } from './series.ts';
import { rootOf } from './roots.ts';

const PLAN = 'plan.json';
const MANIFEST = 'signed-manifest';

/** Somebody else's is under this name: another name will do. */
const TAKEN: ReadonlySet<ArchiveErrorCode> = new Set(['not-empty', 'other-export']);
/** What was begun never becomes an archive, and another one soon would end likewise. */
const HOPELESS: ReadonlySet<ArchiveErrorCode> = new Set([
  ...(['malformed', 'unexpected-file', 'unsupported-version', 'source-damaged', 'missing-file'] as const),
]);

/** Whether another archive is to be begun in the next period only. */
export function isHopeless(error: unknown): boolean {
  return error instanceof ArchiveError && HOPELESS.has(error.code);
}

/**
 * Makes the archive that was begun whole, or one that is due.
 * @throws CliError `archive-gone`, `destination-gone`; as `exportOrganisation` and the destination
 */
export async function takeOut(round: Round): Promise<void> {
  const { memory, device, destinations, isDue, nowMs, fullAfter, tell } = round;
  if (memory.state.series.current === null) {
    if (!isDue) return;
    await rootOf(destinations[0]);
    const next = begin(memory.state.series, nowMs, fullAfter);
    let through: number;
    try {
      through = await lastThrough(round, next);
    } catch (error) {
      if (next.current?.isBehind !== true || !isUnusable(error)) throw error;
      await memory.keep({ series: skip(memory.state.series) });
      await round.onArchived(true);
      return;
    }
    if (through === (await device.throughSeq())) {
      await round.onArchived(true);
      tell({ event: 'nothing-new' });
      return;
    }
    await memory.keep({ series: begin(memory.state.series, nowMs, fullAfter) });
  }
  const begun = memory.state.series.current as Begun;
  try {
    await makeWhole(round, begun);
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'other-log')
      await memory.keep({ series: startOver(memory.state.series) });
    else if (error instanceof ArchiveError && TAKEN.has(error.code))
      await memory.keep({ series: abandon(memory.state.series) });
    else if (begun.isBehind && isUnusable(error)) {
      await memory.keep({ series: abandon(memory.state.series) });
      await round.onArchived(true);
    } else if (isHopeless(error)) {
      // Of a device whose log is damaged: a part of an archive each day would fill the disk.
      if ((error as ArchiveError).code === 'source-damaged') await removeUnfinished(round, begun);
      await memory.keep({ series: abandon(memory.state.series) });
      await round.onArchived(true);
    }
    throw error;
  }
  await memory.keep({ series: finish(memory.state.series) });
  await round.onArchived(true);
}

/** An archive without a copy of the set is better than none: what is wrong with the set is told, and stops nothing. */
async function setAlong(round: Round, previous: string | null): Promise<Uint8Array | null> {
  const { set, destinations, device, memory, signal, codeOf } = round;
  let wire: Uint8Array | null = null;
  let setFailure: string | null = null;
  try {
    const before = previous === null ? null : archiveIn(destinations[0], previous);
    wire = device.currentSet(await givenSet(set, before));
  } catch (error) {
    signal.throwIfAborted();
    setFailure = codeOf(error);
  }
  if (setFailure !== memory.state.setFailure) await memory.keep({ setFailure });
  return wire;
}

/** The last entry that is in the archive to go on from, if it is of this organisation; 0 without one. @throws as `soundManifest` */
async function lastThrough(round: Round, { last }: Series): Promise<number> {
  const { memory, device } = round;
  if (last === null) return 0;
  const { manifest } = await soundManifest(round, last);
  if (manifest.org === device.org) return manifest.groups[0]?.throughSeq ?? 0;
  await memory.keep({ series: startOver(memory.state.series) });
  return 0;
}

async function makeWhole(round: Round, begun: Begun): Promise<void> {
  const { device, destinations, recipients, signal, memory, tell } = round;
  const { name, previous } = begun;
  await rootOf(destinations[0]);
  const since = previous === null ? null : await soundManifest(round, previous);
  if (since !== null && since.manifest.org !== device.org)
    throw new ArchiveError('other-log', 'the archive before is of another organisation');
  await withDestination(archiveIn(destinations[0], name), async (destination) => {
    const { signed, missing } = (await isWhole(destination))
      ? { signed: await readSignedManifest(destination), missing: [] }
      : await device.export({
          ...{ destination, recipients, since, signal },
          archiveKeySet: await setAlong(round, previous),
        });
    const { manifest } = signed;
    // Whole before we came: by this device, and from the same archive on, or it is somebody else's.
    const isForAll = recipients.every((key) =>
      manifest.recipients.includes(archiveRecipient(primitives, key)),
    );
    const isOurs = manifest.org === device.org && manifest.device === device.device && isForAll;
    if (!isOurs || !goesOnFrom(manifest, since))
      throw new ArchiveError('other-export', 'another archive is in this place');
    const sizeBytes = await sizeOf(destination);
    await memory.keep({ sizeBytes, totalBytes: memory.state.totalBytes + sizeBytes });
    const { before, throughSeq } = manifest.groups[0] ?? { before: { size: 0 }, throughSeq: 0 };
    const entries = throughSeq - before.size;
    const isFull = previous === null;
    tell({ event: 'exported', archive: name, isFull, entries, sizeBytes, missing: missing.length });
  });
}

/**
 * What an archive is that the next one goes on from, by what its verification has read: what it says it has is left out
 * of the next, and a place may show another at the next reading. One that is gone may be on a disk that is not mounted.
 * @throws CliError `archive-gone`, `previous-unsound`
 */
async function soundManifest({ destinations, signal }: Round, name: string): Promise<SignedManifest> {
  let report: ArchiveReport;
  try {
    report = await withArchive(archiveIn(destinations[0], name), (files) =>
      verifyArchive({ primitives, files, quick: true, signal }),
    );
  } catch (error) {
    if (!(error instanceof CliError && error.code === 'not-there')) throw error;
    throw archiveGone(name);
  }
  const { archive, findings, verdict } = report;
  if (archive !== null && (verdict === 'sound' || lacksOnlyApprovals(report))) return archive.manifest;
  if (findings.some(({ code, file }) => code === 'missing-file' && file === MANIFEST))
    throw archiveGone(name);
  const message = `the archive before, ${name}, is not sound`;
  const next =
    '`keytide verify` says what is wrong with it; `keytide agent --full` has the next be a full one.';
  throw new CliError('previous-unsound', EXIT.unsound, message, next);
}

/** Of the archive to go on from. */
function isUnusable(error: unknown): boolean {
  return error instanceof CliError && error.code === 'previous-unsound';
}

function archiveGone(name: string): CliError {
  const message = `the archive before, ${name}, is not at the first destination`;
  const next = 'Mount or put back what it is on; or have the next be a full one, by `keytide agent --full`.';
  return new CliError('archive-gone', EXIT.usage, message, next);
}

/** The plan, by which it is known, goes last: broken off, it is begun again from there. */
async function removeUnfinished({ destinations }: Round, { name }: Begun): Promise<void> {
  await withDestination(archiveIn(destinations[0], name), async (destination) => {
    if (await isWhole(destination)) return;
    const names: string[] = [];
    for await (const file of destination.list()) names.push(file.name);
    names.sort((a, b) => Number(a === PLAN) - Number(b === PLAN));
    for (const file of names) await destination.remove(file);
  });
}

async function isWhole(destination: Destination): Promise<boolean> {
  const names = new Set<string>();
  for await (const { name } of destination.list()) names.add(name);
  return names.has(MANIFEST) && !names.has(PLAN);
}

function goesOnFrom({ previous }: SignedManifest['manifest'], since: SignedManifest | null): boolean {
  if (previous === null || since === null) return previous === null && since === null;
  return equalBytes(previous, primitives.sha256(since.bytes));
}

async function sizeOf(destination: Destination): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of destination.list()) sum += sizeBytes;
  return sum;
}
