import { createRemoveMember } from '@keytide/key-directory';
import { beforeAll, describe, expect, test } from 'vitest';
import { retentionLedger, type GivenArchive, type LedgerMaterial, type RelayWord } from '../../src/index.ts';
import { dayMs, isIn, ledgerWorld, POLICY, type LedgerWorld } from './ledger-world.ts';

/** Twelve days of two entries each: by the thirteenth, of a Y of eight days, those of the first three are over. */
const DAYS = 12;
let life: LedgerWorld;
let whole: GivenArchive;

beforeAll(async () => {
  life = await ledgerWorld('ledger', DAYS);
  whole = await life.archive();
});

const ledgerOf = (change: Partial<LedgerMaterial> = {}) => retentionLedger(life.material(change));
const relayAt = (firstSeq: number): RelayWord => ({ firstSeq, isCut: false, attachmentsHeld: null });
const codesOf = (change: Partial<LedgerMaterial>) =>
  ledgerOf(change).findings.map(({ code, weight, basis, firstSeq, lastSeq }) => {
    return [code, weight, basis, firstSeq, lastSeq];
  });
/** The states of the log's stretches, the same ones together. */
function statesOf(change: Partial<LedgerMaterial>): unknown[] {
  const merged: unknown[][] = [];
  for (const { state, todo, firstSeq, lastSeq } of ledgerOf(change).rows) {
    const last = merged.at(-1);
    if (last?.[0] === state && last[1] === todo) last[3] = lastSeq;
    else merged.push([state, todo, firstSeq, lastSeq]);
  }
  return merged;
}

describe('what is to be done', () => {
  test('each day is a row, due Y after it ended', () => {
    const { rows, findings } = ledgerOf();
    expect(findings).toEqual([]);
    expect(rows.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual(
      Array.from({ length: DAYS }, (_, day) => [2 * day + 1, 2 * day + 2]),
    );
    const [first] = rows;
    expect(first).toMatchObject({ writtenFromMs: dayMs(0) - 3_600_000, dueMs: dayMs(9) - 3_600_000 });
  });

  test('what is due, or within a quarter of Y, is to be exported; then the relay is to be told; then nothing', async () => {
    const soon = 2 * 6;
    expect(statesOf({})).toEqual([
      ['kept', 'export', 1, soon],
      ['kept', null, soon + 1, 24],
    ]);
    expect(statesOf({ archives: [whole] })).toEqual([
      ['exported', 'acknowledge', 1, soon],
      ['exported', null, soon + 1, 24],
    ]);
    const exported = [life.says(0, 9, dayMs(9))];
    expect(statesOf({ archives: [whole], exported })).toEqual([
      ['released', null, 1, 9],
      ['exported', 'acknowledge', 10, soon],
      ['exported', null, soon + 1, 24],
    ]);
    const deleted = [life.receipt(1, 6, dayMs(12))];
    expect(statesOf({ archives: [whole], exported, deleted, relay: relayAt(7) }).slice(0, 2)).toEqual([
      ['deleted', null, 1, 6],
      ['released', null, 7, 9],
    ]);
  });

  test('a row names its archive, whoever said first that it is exported, and the receipt', () => {
    const deleted = [life.receipt(1, 6, dayMs(12))];
    const exported = [life.says(0, 24, dayMs(11)), life.says(1, 9, dayMs(10)), life.says(0, 9, dayMs(9))];
    const { rows, archives } = ledgerOf({ archives: [whole], exported, deleted });
    expect(archives).toMatchObject([
      { firstSeq: 1, throughSeq: 24, counts: true, by: { handle: 'member-0' } },
    ]);
    const [first] = rows;
    expect(first?.archives).toEqual([0]);
    expect(first?.acknowledged.map(({ by, exportedMs }) => [by.handle, exportedMs])).toEqual([
      ['member-0', dayMs(9)],
      ['member-1', dayMs(10)],
    ]);
    expect(first?.deletion).toMatchObject({ firstSeq: 1, lastSeq: 6, isOfLog: true });
    expect(rows.at(-1)?.acknowledged.map(({ exportedMs }) => exportedMs)).toEqual([dayMs(11)]);
  });

  test('an archive with a filter, an unsound one, and one of elsewhere save nothing', async () => {
    const filtered = await life.archive({ filter: { fromMs: 3 } });
    const other = await ledgerWorld('elsewhere', 1);
    const elsewhere = await other.archive();
    const unsound = { ...whole, verdict: 'unsound' } as const;
    const forged = { ...whole, signed: { ...whole.signed, bytes: elsewhere.signed.bytes } };
    const cut = { ...whole, signed: { ...whole.signed, signatures: whole.signed.signatures.slice(1) } };
    const stolen = {
      ...whole,
      signed: {
        ...whole.signed,
        signatures: whole.signed.signatures.map((one) => ({ ...one, signature: new Uint8Array(64) })),
      },
    };
    for (const [archive, detail] of [
      [filtered, null],
      [unsound, 'unsound'],
      [elsewhere, 'other-org'],
      [forged, 'bad-signature'],
      [stolen, 'bad-signature'],
      [cut, 'bad-signature'],
    ] as const) {
      const { rows, findings } = ledgerOf({ archives: [archive] });
      expect(rows.every(({ state, archives }) => state === 'kept' && archives.length === 0)).toBe(true);
      expect(findings.map((finding) => finding.detail)).toEqual(detail === null ? [] : [detail]);
    }
  });
});

describe('what the policy waives', () => {
  test('goes at Y without a word, and is named as lost unless it is somewhere', async () => {
    const waived = await ledgerWorld('waived', DAYS);
    waived.world.clock.advance(-3 * 86_400_000);
    waived.setPolicy({ ...POLICY, exportWaived: true });
    const at = waived.world.wires.length - 1;
    const ledger = (change: Partial<LedgerMaterial>) => retentionLedger(waived.material(change));
    const { rows } = ledger({});
    expect(rows[0]).toMatchObject({ state: 'waived', todo: 'export', waivedBy: at });
    expect(rows.at(-1)).toMatchObject({ state: 'waived', todo: null });
    const deleted = [waived.receipt(1, 6, dayMs(12))];
    expect(ledger({ deleted }).findings).toMatchObject([
      { code: 'deleted-unexported', weight: 'note', lastSeq: 6 },
    ]);
    expect(ledger({ deleted, archives: [await waived.archive()] }).findings).toEqual([]);
    // Before the policy said so, nothing was to go.
    expect(ledger({ deleted: [waived.receipt(1, 2, dayMs(8) + 86_400_000 / 2)] }).findings).toMatchObject([
      { code: 'deleted-unreleased' },
    ]);
  });
});

describe('a relay that', () => {
  const exported = (): Uint8Array[] => [life.says(0, 9, dayMs(11))];
  const fine = (): Uint8Array => life.receipt(1, 6, dayMs(12));

  test('does as it is to do is accused of nothing', () => {
    expect(codesOf({ exported: exported(), deleted: [fine()], relay: relayAt(7) })).toEqual([]);
  });

  test('deletes what nobody has exported has signed the proof', () => {
    const receipt = life.receipt(1, 12, dayMs(16));
    const change = { nowMs: dayMs(17), exported: exported(), deleted: [receipt], relay: relayAt(13) };
    expect(codesOf(change)).toEqual([['deleted-unreleased', 'alarm', 'signed', 10, 12]]);
    const { evidence } = ledgerOf(change).findings[0] ?? { evidence: [] };
    expect(isIn(receipt, evidence)).toBe(true);
    // A word that came later releases nothing that was gone.
    const late = [...exported(), life.says(0, 24, dayMs(16) + 7_200_000)];
    expect(codesOf({ ...change, exported: late })).toEqual([
      ['deleted-unreleased', 'alarm', 'signed', 10, 12],
    ]);
    expect(codesOf({ ...change, exported: [...late, life.says(1, 12, dayMs(15))] })).toEqual([]);
  });

  test('deletes before any policy let it has signed the proof, whatever time it names', () => {
    const early = [life.receipt(1, 8, dayMs(9))];
    const said = [life.says(0, 24, dayMs(8))];
    expect(codesOf({ exported: said, deleted: early })).toEqual([['deleted-early', 'alarm', 'signed', 5, 8]]);
    const future = [life.receipt(1, 24, dayMs(40))];
    expect(codesOf({ exported: said, deleted: future })).toEqual([
      ['deleted-early', 'alarm', 'signed', 11, 24],
    ]);
  });

  test('withholds the receipt is found out by where its log begins', () => {
    expect(codesOf({ exported: exported(), relay: relayAt(7) })).toEqual([
      ['deleted-unsaid', 'alarm', 'word', 1, 6],
    ]);
    const kept = [life.receipt(1, 2, dayMs(10)), life.receipt(5, 6, dayMs(12))];
    const said = [life.says(0, 24, dayMs(9))];
    expect(codesOf({ exported: said, deleted: kept, relay: relayAt(7) })).toEqual([
      ['deleted-unsaid', 'alarm', 'word', 3, 4],
    ]);
    // Where its answer is full, older ones may not have fitted in.
    const relay = { firstSeq: 7, isCut: true, attachmentsHeld: null };
    expect(codesOf({ exported: said, deleted: kept.slice(1), relay })).toEqual([]);
    expect(codesOf({ exported: said, deleted: [kept[0] as Uint8Array], relay })).toHaveLength(1);
  });

  test('signs what it has not done is found out as well', () => {
    expect(codesOf({ exported: exported(), deleted: [fine()], relay: relayAt(5) })).toEqual([
      ['still-there', 'alarm', 'word', 5, 6],
    ]);
  });

  test('keeps for longer than it may is named', () => {
    const late = { nowMs: dayMs(14), exported: [life.says(0, 9, dayMs(11))], relay: relayAt(1) };
    // The fifth day is exported by a half: all of it waits.
    expect(codesOf(late)).toEqual([['overdue', 'note', 'word', 1, 8]]);
    expect(codesOf({ ...late, relay: null })).toEqual([]);
  });

  test.each([
    [
      'of another log',
      'receipt-other-log',
      null,
      () => life.receipt(1, 6, dayMs(12), { root: new Uint8Array(32) }),
    ],
    [
      'with another key',
      'receipt-refused',
      'bad-signature',
      () => life.receipt(1, 6, dayMs(12), { signer: life.world.members[1]?.devices[0].signer as never }),
    ],
    [
      'of another organisation',
      'receipt-refused',
      'wrong-organisation',
      () => life.receipt(1, 6, dayMs(12), { org: 'ab'.repeat(32) }),
    ],
    [
      'of another group',
      'receipt-refused',
      'unknown-group',
      () => life.receipt(1, 6, dayMs(12), { group: 'ab'.repeat(32) }),
    ],
    ['that is none', 'receipt-refused', 'malformed', () => Uint8Array.of(1)],
  ])('shows a receipt %s is found out', (_what, code, detail, make) => {
    const { findings, rows } = ledgerOf({ exported: exported(), deleted: [make()] });
    expect(findings).toMatchObject([{ code, detail, weight: 'alarm', basis: 'signed' }]);
    if (detail !== null) expect(rows.every(({ deletion }) => deletion === null)).toBe(true);
  });

  test.each([
    ['a member who may not', 'not-permitted', () => life.says(2, 24, dayMs(9))],
    [
      'somebody else than it names',
      'bad-signature',
      () => life.says(0, 24, dayMs(9), { signer: life.world.members[1]?.devices[0].signer as never }),
    ],
    [
      'another organisation',
      'wrong-organisation',
      () => life.says(0, 24, dayMs(9), { org: 'ab'.repeat(32) }),
    ],
    ['another group', 'unknown-group', () => life.says(0, 24, dayMs(9), { group: 'ab'.repeat(32) })],
    ['nobody', 'malformed', () => Uint8Array.of(1)],
  ])('shows the word of %s makes nothing look exported', (_who, detail, make) => {
    const change = { exported: [make()] };
    expect(ledgerOf(change).findings).toMatchObject([
      { code: 'acknowledgement-refused', detail, weight: 'alarm' },
    ]);
    expect(statesOf(change)).toEqual(statesOf({}));
  });
});

describe('members', () => {
  test('whoever says that another log is exported is named, and saves nothing', () => {
    const exported = [life.says(1, 12, dayMs(9), { root: new Uint8Array(32) })];
    const { findings, rows } = ledgerOf({ exported });
    const of = life.world.members[1]?.devices[0].id;
    expect(findings).toMatchObject([{ code: 'acknowledged-other-log', of, weight: 'alarm', lastSeq: 12 }]);
    // The relay goes by it all the same: it is to be exported before.
    expect(rows[0]).toMatchObject({ state: 'released', todo: 'export' });
  });

  test('what somebody said who has left since counts on, and not what they say afterwards', async () => {
    const left = await ledgerWorld('left', DAYS);
    const [ada, bo] = left.world.members as unknown as [
      (typeof left.world.members)[0],
      (typeof left.world.members)[0],
    ];
    left.world.append(createRemoveMember({ ...left.world.as(ada.devices[0]), member: bo.id }));
    const now = left.world.clock.now();
    const ledger = (saidMs: number) =>
      retentionLedger(left.material({ exported: [left.says(1, 24, saidMs)], nowMs: now }));
    const { findings, rows } = ledger(now - 1_000);
    expect([findings, rows[0]?.state]).toEqual([[], 'released']);
    expect(ledger(now + 3_600_000).findings).toMatchObject([
      { code: 'acknowledgement-refused', detail: 'not-permitted' },
    ]);
  });

  test('an archive of another log is held against whoever signed it', async () => {
    // The same organisation, in which something else was said.
    const twin = await ledgerWorld('ledger', DAYS, 'night');
    const other = await twin.archive();
    const { findings, rows } = ledgerOf({ archives: [other] });
    const [finding] = findings;
    expect(finding).toMatchObject({ code: 'archive-other-log', weight: 'alarm', basis: 'signed' });
    expect(finding?.evidence).toEqual([other.signed.bytes]);
    expect(rows.every(({ archives }) => archives.length === 0)).toBe(true);
  });

  test('a receipt counts by a key that the policy names, or named then', async () => {
    const moved = await ledgerWorld('moved', DAYS);
    const signer = life.world.primitives.signer(new Uint8Array(32).fill(10));
    moved.setPolicy({ ...POLICY, relayKey: signer.publicKey });
    const deleted = [moved.receipt(1, 2, dayMs(12)), moved.receipt(3, 6, dayMs(12), { signer })];
    const exported = [moved.says(0, 6, dayMs(10))];
    const { findings, rows } = retentionLedger(moved.material({ deleted, exported }));
    expect([findings, rows.filter(({ state }) => state === 'deleted').at(-1)?.lastSeq]).toEqual([[], 6]);
  });
});
