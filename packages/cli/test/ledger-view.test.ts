import type { LedgerRow, RetentionLedger } from '@keytide/archive';
import { groupId, memberId, orgId, toHex } from '@keytide/crypto-core';
import { deviceId } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { ledgerLines } from '../src/ledger-view.ts';

const at = (day: number): number => Date.UTC(2026, 0, day);
const by = {
  device: deviceId(new Uint8Array(32)),
  member: memberId(new Uint8Array(16)),
  handle: 'ada\u001b[2J',
};
const said = { by, throughSeq: 4, exportedMs: at(3), isOfLog: true, wire: new Uint8Array() };
const bare: LedgerRow = {
  ...{ firstSeq: 1, lastSeq: 2, writtenFromMs: at(1), writtenToMs: at(2), dueMs: at(10) },
  ...{
    state: 'kept',
    todo: null,
    archives: [],
    acknowledged: [],
    waivedBy: null,
    deletion: null,
    findings: [],
  },
};
const hash = new Uint8Array(32).fill(0xab);
const deletion = { firstSeq: 1, lastSeq: 2, deletedMs: at(11), isOfLog: true, wire: hash, hash };
const ledger: RetentionLedger = {
  ...{
    org: orgId('ab'.repeat(32)),
    group: groupId('ab'.repeat(32)),
    madeMs: at(12),
    exportSeconds: 8 * 86_400,
  },
  ...{
    isWaived: false,
    isRelayAsked: true,
    attachmentsHeld: { count: 2, sizeBytes: 77 },
    acknowledgements: [said],
    deletions: [deletion],
  },
  archives: [
    {
      ...{ id: hash.slice(0, 16), createdMs: at(3), by, firstSeq: 1, throughSeq: 4 },
      ...{ isFiltered: false, isWhole: true, counts: true },
    },
  ],
  rows: [
    { ...bare, state: 'deleted', archives: [0], acknowledged: [said], deletion },
    { ...bare, firstSeq: 3, lastSeq: 4, state: 'released', archives: [0], acknowledged: [said] },
    { ...bare, firstSeq: 5, lastSeq: 5, todo: 'export' },
  ],
  findings: [
    {
      ...{ code: 'still-there', weight: 'alarm', basis: 'word', of: 'relay', firstSeq: 1, lastSeq: 2 },
      ...{ detail: null, evidence: [] },
    },
  ],
};

test('what is to be done comes first, and what is gone with a receipt is only counted', () => {
  const lines = ledgerLines(ledger, false);
  expect(lines.map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
    'Y is 8 days; then what nobody has exported is kept',
    'the relay keeps 2 attachments (77 bytes) beyond their Y, until what may name them is exported',
    'TO DO | ENTRIES | WRITTEN | DUE | STATE | ARCHIVE | EXPORTED, SAYS | DELETED | FINDINGS',
    'export | 5 | 2026-01-01 | 2026-01-10 | kept',
    ` | 3-4 | 2026-01-01 | 2026-01-10 | released | ${toHex(hash).slice(0, 8)} | ada\ufffd[2J 2026-01-03`,
    'and 1 that are deleted, with a receipt: --all shows them',
    "ALARM: still-there, entries 1 to 2: the relay has signed that it deleted this, and still has it (the relay's word)",
  ]);
});

test('everything is in its order, when all is asked for', () => {
  const entries = ledgerLines(ledger, true).flatMap((line) => / (1-2|3-4|5) /.exec(line)?.[1] ?? []);
  expect(entries).toEqual(['1-2', '3-4', '5']);
});
