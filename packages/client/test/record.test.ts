import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyOf, emptyRecord, mergeWrite, type RecordWrite } from '../src/record.ts';

const write: fc.Arbitrary<RecordWrite> = fc.record({
  time: fc.record({ ms: fc.nat(3), counter: fc.nat(1) }),
  device: fc.constantFrom('a', 'b', 'c'),
  act: fc.constantFrom('create', 'edit', 'remove'),
  initial: fc.subarray(['title', 'note', 'status']),
  body: fc.dictionary(fc.constantFrom('title', 'note', 'status'), fc.constantFrom('x', 'y', 'z'), {
    maxKeys: 3,
  }),
});

const replay = (writes: readonly RecordWrite[]): unknown => {
  const record = writes.reduce(mergeWrite, emptyRecord('r'));
  const { created, removed } = record;
  return { created, removed, body: Object.entries(bodyOf(record)).toSorted() };
};

describe('merging record writes', () => {
  test('gives the same record for every order and repetition of the same writes', () => {
    fc.assert(
      fc.property(
        fc
          .array(write, { maxLength: 8 })
          .chain((writes) =>
            fc.tuple(
              fc.constant(writes),
              fc.shuffledSubarray(writes, { minLength: writes.length }),
              fc.subarray(writes),
            ),
          ),
        ([writes, shuffled, repeated]) => {
          expect(replay([...shuffled, ...repeated])).toEqual(replay(writes));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('keeps the later write of a field, and fields that only one write has', () => {
    const early: RecordWrite = {
      time: { ms: 1, counter: 0 },
      device: 'z',
      act: 'create',
      initial: [],
      body: { title: 'old', note: 'kept' },
    };
    const late: RecordWrite = {
      time: { ms: 1, counter: 1 },
      device: 'a',
      act: 'edit',
      initial: [],
      body: { title: 'new' },
    };
    const merged = [late, early].reduce(mergeWrite, emptyRecord('r'));
    expect(bodyOf(merged)).toEqual({ title: 'new', note: 'kept' });
  });
});
