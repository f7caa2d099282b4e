import { ledgerCsv, ledgerPage } from '@keytide/archive/formats';
import { parse } from 'csv-parse/sync';
import { beforeAll, expect, test } from 'vitest';
import { retentionLedger, type RetentionLedger } from '../../src/index.ts';
import { dayMs, ledgerWorld } from './ledger-world.ts';

let ledger: RetentionLedger;

beforeAll(async () => {
  const life = await ledgerWorld('page', 4);
  const archives = [await life.archive()];
  const exported = [life.says(0, 4, dayMs(5)), Uint8Array.of(1)];
  const deleted = [life.receipt(1, 2, dayMs(10))];
  ledger = retentionLedger(
    life.material({
      archives,
      exported,
      deleted,
      nowMs: dayMs(11),
      relay: { firstSeq: 3, isCut: false, attachmentsHeld: null },
    }),
  );
});

test('a page has every row, what is to be done and what was found, and a picture of each', () => {
  const page = ledgerPage(ledger, { title: 'A <b>harbour</b>' });
  expect(page).toContain('<h1>A &#60;b&#62;harbour&#60;/b&#62;</h1>');
  expect(page).not.toContain('<b>');
  expect(page).not.toMatch(/<script|style=|href=|src=/);
  expect(page.split('<tr><td>').length - 1).toBe(ledger.rows.length);
  const bars = page.split('<svg').slice(1);
  expect(bars).toHaveLength(ledger.rows.length);
  // A triangle and a ring, and a cross where it is gone.
  expect(bars.map((bar) => [bar.split('h8l').length - 1, bar.split('<circle').length - 1])).toEqual([
    [1, 1],
    [1, 1],
    [1, 0],
    [1, 0],
  ]);
  expect(bars.map((bar) => bar.includes('l8 8m0'))).toEqual([true, false, false, false]);
  expect(page).toContain('Alarm: the relay shows as a word of members');
  expect(page).toContain('Tell the relay that they are exported: entries 5 to 6, due 2030-01-12 00:00');
});

test('whoever names a time far off, or none that a calendar has, moves nothing out of its picture', () => {
  const [first] = ledger.rows;
  if (first === undefined || first.deletion === null) throw new Error('nothing was deleted');
  for (const deletedMs of [0, 8.7e15]) {
    const rows = [{ ...first, deletion: { ...first.deletion, deletedMs } }, ...ledger.rows.slice(1)];
    const page = ledgerPage({ ...ledger, rows }, { title: 'x' });
    const [, at] = /d="M(-?[\d.]+) 8l8/.exec(page) ?? [];
    expect([2, 290]).toContain(Number(at));
  }
});

test('as CSV each row is a line, which another reader reads', () => {
  const lines = parse(ledgerCsv(ledger), { columns: true }) as Record<string, string>[];
  expect(lines).toHaveLength(ledger.rows.length);
  expect(lines[0]).toMatchObject({
    ...{ first_seq: '1', last_seq: '2', state: 'deleted', acknowledged_by: 'member-0', waived_by: '' },
    ...{ written_from: '2030-01-01T00:00:00.000Z', due: '2030-01-10T00:00:00.000Z', todo: '' },
  });
  expect(lines[0]?.['receipt']).toMatch(/^[0-9a-f]{64}$/);
});
