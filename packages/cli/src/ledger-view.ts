import type { LedgerFinding, LedgerRow, RetentionLedger } from '@keytide/archive';
import { FINDING_WORDS } from '@keytide/archive/formats';
import { toBase64Url, toHex } from '@keytide/crypto-core';
import { formatTable } from './table.ts';
import { isoTime } from './timestamps.ts';

/** A ledger for programs. */
export function ledgerJson(ledger: RetentionLedger): object {
  const { org, madeMs, exportSeconds, isWaived, isRelayAsked, rows, archives, findings } = ledger;
  const { attachmentsHeld } = ledger;
  return {
    ...{ org, made: isoTime(madeMs), exportSeconds, waived: isWaived, relayAsked: isRelayAsked },
    attachmentsHeld,
    rows: rows.map((row) => ({
      ...{ firstSeq: row.firstSeq, lastSeq: row.lastSeq },
      ...{ writtenFrom: iso(row.writtenFromMs), writtenTo: iso(row.writtenToMs), due: iso(row.dueMs) },
      ...{ state: row.state, todo: row.todo, waivedBy: row.waivedBy, findings: row.findings },
      archives: row.archives.map((place) => toHex(archives[place]?.id ?? new Uint8Array())),
      acknowledged: row.acknowledged.map(({ by, exportedMs, throughSeq, isOfLog }) => {
        return { ...by, exported: iso(exportedMs), throughSeq, ofLog: isOfLog };
      }),
      receipt: row.deletion && {
        ...{ id: toHex(row.deletion.hash), deleted: iso(row.deletion.deletedMs) },
        ...{ firstSeq: row.deletion.firstSeq, lastSeq: row.deletion.lastSeq, ofLog: row.deletion.isOfLog },
      },
    })),
    archives: archives.map(({ id, createdMs, by, firstSeq, throughSeq, isFiltered, isWhole, counts }) => {
      const range = { firstSeq, throughSeq, filtered: isFiltered, whole: isWhole, counts };
      return { id: toHex(id), created: iso(createdMs), by, ...range };
    }),
    findings: findings.map(({ evidence, ...finding }) => {
      return { ...finding, evidence: evidence.map(toBase64Url) };
    }),
  };
}

/** The same for people: what is to be done first, then the rest that is there, and what was found. */
export function ledgerLines(ledger: RetentionLedger, all: boolean): string[] {
  const { rows, findings, exportSeconds, isWaived, isRelayAsked, attachmentsHeld: held } = ledger;
  const shown = all
    ? rows
    : rows.filter(({ state, findings: found }) => state !== 'deleted' || found.length > 0);
  const sorted = all ? shown : shown.toSorted((a, b) => Number(a.todo === null) - Number(b.todo === null));
  const left = rows.length - shown.length;
  return [
    `Y is ${exportSeconds / 86_400} days; then what nobody has exported is ${isWaived ? 'deleted all the same' : 'kept'}`,
    ...(isRelayAsked ? [] : ['the relay was not asked: what it did since is not here']),
    ...(held === null || held.count === 0
      ? []
      : [
          `the relay keeps ${held.count} attachments (${held.sizeBytes} bytes) beyond their Y, until what may name them is exported`,
        ]),
    ...formatTable(
      COLUMNS,
      sorted.map((row) => cellsOf(ledger, row)),
    ),
    ...(left === 0 ? [] : [`and ${left} that are deleted, with a receipt: --all shows them`]),
    ...findings.map(findingLine),
  ];
}

function cellsOf({ archives }: RetentionLedger, row: LedgerRow): string[] {
  const { firstSeq, lastSeq, writtenFromMs, dueMs, state, todo, acknowledged, deletion, findings } = row;
  return [
    todo ?? '',
    firstSeq === lastSeq ? `${firstSeq}` : `${firstSeq}-${lastSeq}`,
    day(writtenFromMs),
    day(dueMs),
    state,
    row.archives.map((place) => toHex(archives[place]?.id ?? new Uint8Array()).slice(0, 8)).join(' '),
    acknowledged.map(({ by, exportedMs }) => `${by.handle} ${day(exportedMs)}`).join(', '),
    deletion === null ? '' : `${day(deletion.deletedMs)} ${toHex(deletion.hash).slice(0, 8)}`,
    findings.join(' '),
  ];
}

function findingLine({ code, weight, basis, of, firstSeq, lastSeq, detail }: LedgerFinding): string {
  const where = firstSeq === null ? '' : `, entries ${firstSeq} to ${lastSeq}`;
  const rests = basis === 'signed' ? 'signed' : "the relay's word";
  const who = of === 'relay' ? '' : `, device ${of}`;
  return `${weight === 'alarm' ? 'ALARM' : 'note'}: ${code}${where}: ${FINDING_WORDS[code]}${who} (${detail ?? rests})`;
}

/** A date in UTC; nothing for a time that nobody knows, or that no calendar has. */
function day(ms: number | null): string {
  return iso(ms)?.slice(0, 10) ?? '';
}

function iso(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

const COLUMNS = [
  { heading: 'TO DO', maxWidth: 12 },
  { heading: 'ENTRIES', maxWidth: 24 },
  { heading: 'WRITTEN', maxWidth: 10 },
  { heading: 'DUE', maxWidth: 10 },
  { heading: 'STATE', maxWidth: 9 },
  { heading: 'ARCHIVE', maxWidth: 26 },
  { heading: 'EXPORTED, SAYS', maxWidth: 40 },
  { heading: 'DELETED', maxWidth: 20 },
  { heading: 'FINDINGS', maxWidth: 60 },
];
