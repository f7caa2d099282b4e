import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { IdMap } from '../src/id-map.ts';

/** Ids that begin alike as often as not, up to the last digit. */
const ids = fc
  .tuple(fc.constantFrom('', '0', '09af', '09aff', '09affff'), fc.stringMatching(/^[09af]{8}$/))
  .map(([start, end]) => `${start}${end}`.slice(0, 8));
const writes = fc.array(fc.tuple(ids, fc.nat(3)), { maxLength: 60 });

test('is a Map that is read in the order of its ids, and every version of it stays what it was', () => {
  fc.assert(
    fc.property(writes, ids, (list, other) => {
      const versions: [IdMap<string, { n: number }>, Map<string, { n: number }>][] = [
        [IdMap.empty(), new Map()],
      ];
      for (const [id, n] of list) {
        const [map, model] = versions.at(-1) as (typeof versions)[0];
        const value = { n };
        versions.push([map.with(id, value), new Map(model).set(id, value)]);
      }
      for (const [map, model] of versions) {
        const inOrder = [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect(map.keys()).toEqual(inOrder.map(([id]) => id));
        const values = map.values();
        expect(values.every((value, i) => value === inOrder[i]?.[1])).toBe(true);
        expect([map.size, values.length]).toEqual([model.size, model.size]);
        for (const id of [other, ...list.map(([written]) => written)]) {
          expect(map.get(id)).toBe(model.get(id));
          expect(map.has(id)).toBe(model.has(id));
        }
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('tells exactly which records are other than in an older version', () => {
  fc.assert(
    fc.property(writes, writes, (older, newer) => {
      const put = (map: IdMap<string, { n: number }>, list: [string, number][]): typeof map =>
        list.reduce((next, [id, n]) => next.with(id, { n }), map);
      const before = put(IdMap.empty(), older);
      const after = put(before, newer);
      const expected = after.keys().filter((id) => after.get(id) !== before.get(id));
      expect(after.changedSince(before)).toEqual(expected.map((id) => after.get(id)));
      expect(after.changedSince(null)).toEqual(after.values());
      expect(after.changedSince(after)).toEqual([]);
    }),
    { numRuns: 200, seed: 2 },
  );
});

test('knows nothing under what is no id', () => {
  const map = IdMap.empty<string, number>().with('00', 1).with('01', 2);
  for (const id of ['', '0', 'g0', '0G', '__proto__', 'length', '000']) expect(map.get(id)).toBeUndefined();
});

test('copies and looks at the way to one record, however many there are', () => {
  const idOf = (n: number): string => ((n * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0');
  let before = IdMap.empty<string, number>();
  for (let n = 0; n < 50_000; n += 1) before = before.with(idOf(n), n);
  const slice = vi.spyOn(Array.prototype, 'slice');
  const isArray = vi.spyOn(Array, 'isArray');
  try {
    const after = before.with(idOf(7), -1);
    const copies = slice.mock.calls.length;
    isArray.mockClear();
    after.changedSince(before);
    expect([copies, isArray.mock.calls.length].every((count) => count > 0)).toBe(true);
    expect(copies).toBeLessThan(8);
    expect(isArray.mock.calls.length).toBeLessThan(200);
  } finally {
    slice.mockRestore();
    isArray.mockRestore();
  }
});
