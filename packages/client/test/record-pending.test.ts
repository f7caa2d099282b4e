import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IDS, log } from './record-log.ts';
import { CY, openRequests, type Sent } from './record-world.ts';

/** Cy's device, and what it wrote: judged by the role that it has now. */
const isOwn = ({ origin }: Sent): boolean => origin.member === CY;

function shown(collection: ReturnType<typeof openRequests>['collection']) {
  return collection.list().map(({ id, body }) => ({ id, body }));
}

test('what waits is shown as if it had arrived, as pending, until it has', () => {
  let pending = 0;
  const life = log.chain((sent) => {
    // One device gives no time twice.
    const lines = sent.map((line, index) => {
      const time = isOwn(line) ? { ms: line.operation.time.ms, counter: 10 + index } : line.operation.time;
      const origin = isOwn(line) ? { ...line.origin, device: 'c1', role: 'member' as const } : line.origin;
      // Mostly about a record of Cy's own.
      const item = isOwn(line) && index % 3 > 0 ? (IDS[2] as string) : line.operation.item;
      return { operation: { ...line.operation, time, item }, origin };
    });
    return fc.record({ lines: fc.constant(lines), arrives: fc.nat(lines.length), forgotten: fc.nat(4) });
  });
  fc.assert(
    fc.property(life, ({ lines, arrives, forgotten }) => {
      const { collection } = openRequests(CY, 'member');
      const { collection: expected } = openRequests(CY, 'member');
      const own = lines.filter(isOwn);
      for (const { operation, origin } of own) collection.wait(operation, origin.epoch);
      for (const { operation, origin } of lines.slice(0, arrives)) {
        collection.accept(operation, origin);
        if (isOwn({ operation, origin })) collection.arrived(operation);
      }
      const waiting = lines.slice(arrives).filter(isOwn);
      for (const { operation, origin } of [...lines.slice(0, arrives), ...waiting])
        expected.accept(operation, origin);
      const counts = new Set(
        waiting.flatMap(({ operation: { item }, origin }) =>
          refusedAt(expected, item, origin.seq) ? [] : [item],
        ),
      );
      expect(shown(collection)).toEqual(shown(expected));
      for (const id of IDS) {
        const view = collection.get(id);
        expect(collection.get(id)).toBe(view);
        if (view !== null) expect(view.pending).toBe(counts.has(id));
        if (view?.pending === true) pending += 1;
      }
      // Its time can be over before it was sent.
      collection.forget(forgotten);
      expected.forget(forgotten);
      expect(shown(collection)).toEqual(shown(expected));
    }),
    { numRuns: 1000 },
  );
  expect(pending).toBeGreaterThan(100);
});

/** Whether the operation at this place in the log does not count. */
function refusedAt(
  collection: ReturnType<typeof openRequests>['collection'],
  id: string,
  seq: number,
): boolean {
  return collection.history(id).find((line) => line.seq === seq)?.rejected !== null;
}
