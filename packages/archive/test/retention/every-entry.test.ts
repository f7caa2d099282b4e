import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { retentionLedger, type GivenArchive, type LedgerRow } from '../../src/index.ts';
import { DAY_MS, dayMs, ledgerWorld, type LedgerWorld } from './ledger-world.ts';

const DAYS = 6;
const ENTRIES = 2 * DAYS;
let life: LedgerWorld;
let whole: GivenArchive;

beforeAll(async () => {
  life = await ledgerWorld('every entry', DAYS);
  whole = await life.archive();
});

const seq = fc.integer({ min: 1, max: ENTRIES });
const day = fc.integer({ min: 0, max: 20 });
const word = fc.record({ by: fc.integer({ min: 0, max: 2 }), seq, day, isForged: fc.boolean() });
const receipt = fc.record({ one: seq, other: seq, day, isForged: fc.boolean() });
const given = fc.record({
  words: fc.array(word, { maxLength: 4 }),
  receipts: fc.array(receipt, { maxLength: 4 }),
  isArchived: fc.boolean(),
  relay: fc.option(
    fc.record({
      firstSeq: fc.integer({ min: 1, max: ENTRIES + 1 }),
      isCut: fc.boolean(),
      attachmentsHeld: fc.constant(null),
    }),
  ),
});

test('of each entry the ledger says what looking at it alone would', () => {
  fc.assert(
    fc.property(given, ({ words, receipts, isArchived, relay }) => {
      const eve = life.world.members[2]?.devices[0].signer;
      const forged = (isForged: boolean) => (isForged && eve !== undefined ? { signer: eve } : {});
      const nowMs = dayMs(30);
      const ledger = retentionLedger(
        life.material({
          ...{ nowMs, relay, archives: isArchived ? [whole] : [] },
          exported: words.map(({ by, seq: through, day: at, isForged }) =>
            life.says(by, through, dayMs(at), forged(isForged)),
          ),
          deleted: receipts.map(({ one, other, day: at, isForged }) =>
            life.receipt(Math.min(one, other), Math.max(one, other), dayMs(at), forged(isForged)),
          ),
        }),
      );
      let next = 1;
      for (const row of ledger.rows) {
        expect(row.firstSeq).toBe(next);
        for (; next <= row.lastSeq; next += 1) expect(shown(row)).toEqual(alone(next));
      }
      expect(next).toBe(ENTRIES + 1);

      /** One entry, by what is given and signed. */
      function alone(at: number): unknown {
        // Member 2 is neither an admin nor an exporter.
        const said = words.filter(({ by, seq: through, isForged }) => by < 2 && !isForged && through >= at);
        const gone = receipts
          .filter(
            ({ one, other, isForged }) =>
              !isForged && Math.min(one, other) <= at && Math.max(one, other) >= at,
          )
          .toSorted((a, b) => Math.min(a.one, a.other) - Math.min(b.one, b.other) || a.day - b.day);
        const isThere = gone.length === 0 && (relay === null || at >= relay.firstSeq);
        const startMs = dayMs(Math.floor((at - 1) / 2)) - 3_600_000;
        const goneMs = Math.min(dayMs(gone[0]?.day ?? 0), nowMs);
        return {
          state: !isThere
            ? gone.length > 0
              ? 'deleted'
              : 'gone'
            : said.length > 0
              ? 'released'
              : isArchived
                ? 'exported'
                : 'kept',
          archives: isArchived ? 1 : 0,
          sayers: new Set(said.map(({ by }) => `member-${by}`)),
          isEarly: gone.length > 0 && startMs + 8 * DAY_MS > goneMs + 600_000,
          isUnreleased: gone.length > 0 && !said.some(({ day: on }) => dayMs(on) <= goneMs + 600_000),
          isUnsaid: !isThere && gone.length === 0 && mayKnow(at),
          isStill: gone.length > 0 && relay !== null && at >= relay.firstSeq,
        };
      }

      function mayKnow(at: number): boolean {
        const firsts = receipts
          .filter(({ isForged }) => !isForged)
          .map(({ one, other }) => Math.min(one, other));
        return relay?.isCut !== true || at >= Math.min(...firsts);
      }
    }),
    { seed: 7, numRuns: Number(process.env['KEYTIDE_LEDGER_RUNS'] ?? 60) },
  );
});

function shown({ state, archives, acknowledged, findings }: LedgerRow): unknown {
  return {
    ...{ state, archives: archives.length },
    sayers: new Set(acknowledged.map(({ by }) => by.handle)),
    isEarly: findings.includes('deleted-early'),
    isUnreleased: findings.includes('deleted-unreleased'),
    isUnsaid: findings.includes('deleted-unsaid'),
    isStill: findings.includes('still-there'),
  };
}
