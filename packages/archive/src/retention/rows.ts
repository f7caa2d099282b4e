import { toHex } from '@keytide/crypto-core';
import type {
  LedgerAcknowledgement,
  LedgerArchive,
  LedgerDeletion,
  LedgerFinding,
  LedgerRow,
} from './ledger.ts';
import type { LedgerMaterial, LogBlock } from './material.ts';
import { CLOCKS_MS, isOverBy, type PolicyPeriod } from './policy-periods.ts';
import { signedFinding } from './said.ts';

/** What rows are found in, checked. */
interface Checked extends Pick<LedgerMaterial, 'nowMs' | 'log' | 'relay'> {
  readonly periods: readonly PolicyPeriod[];
  readonly archives: readonly LedgerArchive[];
  readonly acknowledgements: readonly LedgerAcknowledgement[];
  readonly deletions: readonly LedgerDeletion[];
}

/** A part of the log, and what is known of it. */
interface Part extends Pick<LedgerRow, 'firstSeq' | 'lastSeq' | 'writtenFromMs' | 'writtenToMs' | 'dueMs'> {
  readonly archives: readonly number[];
  readonly acknowledgements: readonly LedgerAcknowledgement[];
  readonly deletion: LedgerDeletion | null;
}

const DAY_MS = 86_400_000;
const NOBODY: LogBlock = { firstSeq: 1, startMs: null, endMs: null };

/** The log in parts of which everything is the same, and what of them is not as it is to be. */
export function findRows(checked: Checked, found: (finding: LedgerFinding) => void): readonly LedgerRow[] {
  const parts = cut(checked);
  const present = checked.periods.at(-1) as PolicyPeriod;
  const rows = parts.map((part) => rowOf(checked, present, part));
  const late = overdueIn(checked, rows);
  const summed = new Map<string, LedgerFinding>();
  const told = rows.map((row): LedgerRow => {
    const about = findingsOf(checked, row);
    if (late.has(row))
      about.push({ ...signedFinding({ code: 'overdue', of: 'relay' }), weight: 'note', basis: 'word' });
    const { firstSeq, lastSeq } = row;
    for (const finding of about) {
      const key = [finding.code, ...finding.evidence.map(toHex)].join();
      const before = summed.get(key);
      // What is the same in rows that follow each other is one finding.
      if (before !== undefined && before.lastSeq === firstSeq - 1) summed.set(key, { ...before, lastSeq });
      else {
        if (before !== undefined) found(before);
        summed.set(key, { ...finding, firstSeq, lastSeq });
      }
    }
    return { ...row, findings: about.map(({ code }) => code) };
  });
  for (const finding of summed.values()) found(finding);
  return told;
}

/** The log, cut wherever anything begins or ends. */
function cut({ log, relay, periods, archives, acknowledgements, deletions }: Checked): readonly Part[] {
  const lastSeq = Math.max(log.throughSeq, ...deletions.map((deletion) => deletion.lastSeq));
  const blocks = [NOBODY, ...log.blocks, { ...NOBODY, firstSeq: log.throughSeq + 1 }];
  const counted = archives.flatMap((archive, place) => (archive.counts ? [{ ...archive, place }] : []));
  const firsts = new Set([
    ...blocks.map(({ firstSeq }) => firstSeq),
    ...[...deletions, ...counted].map(({ firstSeq }) => firstSeq),
    ...deletions.map((deletion) => deletion.lastSeq + 1),
    ...[...counted, ...acknowledgements].map(({ throughSeq }) => throughSeq + 1),
    ...(relay === null ? [] : [relay.firstSeq]),
  ]);
  const present = periods.at(-1) as PolicyPeriod;
  const starts = [...firsts].filter((seq) => seq <= lastSeq).toSorted((a, b) => a - b);
  let at = 0;
  return starts.map((firstSeq, index) => {
    const through = (starts[index + 1] ?? lastSeq + 1) - 1;
    while ((blocks[at + 1]?.firstSeq ?? Infinity) <= firstSeq) at += 1;
    const { startMs, endMs } = blocks[at] as LogBlock;
    return {
      ...{ firstSeq, lastSeq: through, writtenFromMs: startMs, writtenToMs: endMs },
      dueMs: endMs === null ? null : dayAfter(endMs) + present.policy.exportSeconds * 1000,
      archives: counted
        .filter((archive) => archive.firstSeq <= firstSeq && archive.throughSeq >= through)
        .map(({ place }) => place),
      acknowledgements: acknowledgements.filter(({ throughSeq }) => throughSeq >= through),
      deletion: deletions.find((one) => one.firstSeq <= firstSeq && one.lastSeq >= through) ?? null,
    };
  });
}

function rowOf({ nowMs, relay, periods }: Checked, present: PolicyPeriod, part: Part): LedgerRow {
  const { acknowledgements, ...rest } = part;
  const { archives, deletion, dueMs, writtenFromMs, lastSeq } = part;
  const first = new Map(acknowledgements.toReversed().map((said) => [said.by.member, said]));
  const acknowledged = acknowledgements.filter((said) => first.get(said.by.member) === said);
  const isTrue = acknowledgements.some(({ isOfLog }) => isOfLog !== false);
  const goneMs = deletion === null ? null : Math.min(deletion.deletedMs, nowMs);
  const waiver =
    goneMs === null ? waives(present) : periods.find((one) => waivedBy(one, writtenFromMs, goneMs));
  const isThere = deletion === null && (relay === null || lastSeq >= relay.firstSeq);
  const isSoon = dueMs !== null && dueMs - nowMs <= warningMs(present);
  const state = !isThere
    ? deletion === null
      ? 'gone'
      : 'deleted'
    : acknowledged.length > 0
      ? 'released'
      : waiver !== undefined
        ? 'waived'
        : archives.length > 0
          ? 'exported'
          : 'kept';
  const isSaved = archives.length > 0 || isTrue;
  const todo = !isThere || !isSoon ? null : !isSaved ? 'export' : state === 'exported' ? 'acknowledge' : null;
  return { ...rest, acknowledged, state, todo, waivedBy: waiver?.index ?? null, findings: [] };
}

/** What is not as it is to be with what is gone, or with what is said to be. */
function findingsOf({ nowMs, relay, periods, deletions }: Checked, row: LedgerRow): LedgerFinding[] {
  const { deletion, state, acknowledged, archives, waivedBy: waiver, writtenFromMs, firstSeq, lastSeq } = row;
  const findings: LedgerFinding[] = [];
  const evidence = deletion === null ? [] : [deletion.wire];
  const add = (code: LedgerFinding['code'], how: Partial<LedgerFinding> = {}): void => {
    findings.push(signedFinding({ code, of: 'relay', evidence, ...how }));
  };
  if (deletion !== null) {
    // Said of the future, it was done by now.
    const goneMs = Math.min(deletion.deletedMs, nowMs);
    if (writtenFromMs !== null && !periods.some((one) => isOverBy(one, writtenFromMs, goneMs)))
      add('deleted-early');
    const isReleased = acknowledged.some(({ exportedMs }) => exportedMs <= goneMs + CLOCKS_MS);
    if (!isReleased && waiver === null) add('deleted-unreleased');
    if (relay !== null && firstSeq >= relay.firstSeq) add('still-there', { basis: 'word' });
  }
  if (state === 'gone' && periods.some(({ policy }) => policy.relayKey !== undefined)) {
    const oldest = deletions[0]?.firstSeq ?? Infinity;
    if (relay?.isCut !== true || lastSeq >= oldest) add('deleted-unsaid', { basis: 'word' });
  }
  const isLost =
    (state === 'deleted' || state === 'gone') && acknowledged.length === 0 && archives.length === 0;
  if (isLost && waiver !== null) add('deleted-unexported', { weight: 'note' });
  return findings;
}

/** What might go for more than a day, and is there: but for what waits for an older part that nobody exported. */
function overdueIn({ nowMs, relay, periods }: Checked, rows: readonly LedgerRow[]): ReadonlySet<LedgerRow> {
  if (relay === null) return new Set();
  const held = rows.find(({ state }) => state === 'kept' || state === 'exported');
  const heldMs = held === undefined ? Infinity : dayOf(held.writtenFromMs ?? 0);
  return new Set(
    rows.filter(({ state, dueMs, writtenToMs, acknowledged, waivedBy: waiver }) => {
      if ((state !== 'released' && state !== 'waived') || dueMs === null) return false;
      const waivedMs = periods.find(({ index }) => index === waiver)?.fromMs ?? Infinity;
      const sinceMs = Math.max(dueMs, Math.min(waivedMs, acknowledged[0]?.exportedMs ?? Infinity));
      return sinceMs + DAY_MS < nowMs && dayAfter(writtenToMs ?? Infinity) <= heldMs;
    }),
  );
}

function waives(period: PolicyPeriod): PolicyPeriod | undefined {
  return period.policy.exportWaived === true ? period : undefined;
}

/** Whether a policy let this go by then, without an export. */
function waivedBy(period: PolicyPeriod, startMs: number | null, goneMs: number): boolean {
  return waives(period) !== undefined && isOverBy(period, startMs ?? -Infinity, goneMs);
}

/** How long before it is due: a week, or a quarter of Y where that is less (docs/spec/release.md). */
function warningMs({ policy }: PolicyPeriod): number {
  return Math.min(7 * DAY_MS, (policy.exportSeconds * 1000) / 4);
}

/** The start of this day, UTC. */
function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

/** The end of the day, UTC, in which a block ends: the relay forgets whole days. */
function dayAfter(ms: number): number {
  return Math.ceil(ms / DAY_MS) * DAY_MS;
}
