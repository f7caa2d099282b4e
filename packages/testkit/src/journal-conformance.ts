import type { Journal } from '@keytide/client';
import type { JournalCheck, JournalUnderTest } from './journal-check.ts';
import { expectCode, expectSame } from './key-store-check.ts';
import type { TestRunner } from './test-runner.ts';

/** What every `Journal` owes, one by one: for runtimes that have no test runner. */
export const journalChecks: readonly JournalCheck[] = [
  {
    name: 'gives back what was appended, in order, in any part',
    async check({ create }) {
      const journal = await create();
      expectSame(journal.length, 0);
      expectSame(await journal.read(0), []);
      await journal.append(SOME.slice(0, 2));
      await journal.append([]);
      await journal.append(SOME.slice(2));
      expectSame(journal.length, SOME.length);
      await holds(journal, SOME);
      for (let start = 0; start <= SOME.length; start += 1)
        for (let end = start; end <= SOME.length; end += 1)
          expectSame(hexOf(await journal.read(start, end)), hexOf(SOME.slice(start, end)));
    },
  },
  {
    name: 'keeps copies: what the caller does with its bytes afterwards changes nothing',
    async check({ create }) {
      const journal = await create();
      const larger = Uint8Array.of(9, 1, 2, 9);
      await journal.append([larger.subarray(1, 3)]);
      larger.fill(7);
      await holds(journal, [Uint8Array.of(1, 2)]);
      (await journal.read(0))[0]?.fill(5);
      await holds(journal, [Uint8Array.of(1, 2)]);
    },
  },
  {
    name: 'refuses an empty record and one over 16 MiB, and all that came with it',
    async check({ create }) {
      const journal = await create();
      await journal.append([Uint8Array.of(1)]);
      await expectCode('store-damaged', () => journal.append([Uint8Array.of(2), new Uint8Array(0)]));
      await expectCode('too-large', () => journal.append([Uint8Array.of(2), new Uint8Array(2 ** 24 + 1)]));
      await holds(journal, [Uint8Array.of(1)]);
      await journal.append([Uint8Array.of(3)]);
      await holds(journal, [Uint8Array.of(1), Uint8Array.of(3)]);
    },
  },
  {
    name: 'ends where it was cut, durably, and goes on',
    async check({ create, open }) {
      const journal = await create();
      await journal.append(SOME);
      await journal.flush();
      await journal.cut(SOME.length);
      expectSame(journal.length, SOME.length);
      await journal.cut(1);
      expectSame(journal.length, 1);
      await holds(journal, SOME.slice(0, 1));
      await journal.append([Uint8Array.of(5)]);
      await journal.flush();
      const again = open === null ? journal : await open();
      await holds(again, [...SOME.slice(0, 1), Uint8Array.of(5)]);
      await again.cut(0);
      await holds(again, []);
    },
  },
  {
    name: 'takes many records in many appends, some of them large',
    async check({ create, open }) {
      const journal = await create();
      const many: Uint8Array[] = [];
      for (let round = 0; round < 12; round += 1) {
        const sizeBytes = round % 4 === 3 ? 60_000 : 300;
        const records = Array.from({ length: 40 }, (_, n) => new Uint8Array(sizeBytes + n).fill(round + 1));
        await journal.append(records);
        many.push(...records);
        if (round % 3 === 0) await journal.flush();
      }
      await journal.flush();
      await holds(journal, many);
      if (open !== null) await holds(await open(), many);
    },
  },
  {
    name: 'has after reopening what was flushed, and goes on behind it',
    async check({ create, open }) {
      if (open === null) return;
      const journal = await create();
      await journal.append(SOME.slice(0, 3));
      await journal.flush();
      const again = await open();
      await holds(again, SOME.slice(0, 3));
      await again.append(SOME.slice(3));
      await again.flush();
      await holds(await open(), SOME);
    },
  },
];

/** What every `Journal` owes. Each check starts with a place of its own. */
export function journalConformance(
  name: string,
  start: () => Promise<JournalUnderTest>,
  { describe, it }: TestRunner,
): void {
  describe(`Journal: ${name}`, () => {
    for (const { name: title, check } of journalChecks) it(title, async () => check(await start()));
  });
}

const SOME = [
  Uint8Array.of(1, 2, 3),
  Uint8Array.of(0),
  new Uint8Array(70_000).fill(7),
  Uint8Array.of(255),
  Uint8Array.of(0, 0, 0, 0),
];

async function holds(journal: Journal, records: readonly Uint8Array[]): Promise<void> {
  expectSame(journal.length, records.length);
  expectSame(hexOf(await journal.read(0)), hexOf(records));
}

/** Enough of each to tell records apart. */
function hexOf(records: readonly Uint8Array[]): string[] {
  return records.map(
    (record) => `${record.length}: ${[...record.slice(0, 8), ...record.slice(-8)].join(' ')}`,
  );
}
