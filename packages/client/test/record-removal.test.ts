import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IDS } from './record-log.ts';
import { ADA, CY, openRequests, sentBy, type Sent } from './record-world.ts';

function replica(sent: readonly Sent[], role: 'admin' | 'member' = 'admin') {
  const opened = openRequests(role === 'admin' ? ADA : CY, role);
  for (const { operation, origin } of sent) opened.collection.accept(operation, origin);
  return opened;
}

const LAST = 4;

/** Creations, renewals, edits and removals that count, of two records, over four epochs. */
const life = fc
  .array(fc.record({ act: fc.constantFrom('create', 'create', 'edit', 'remove'), which: fc.nat(1) }), {
    minLength: 8,
    maxLength: 16,
  })
  .map((lines) =>
    lines.map(({ act, which }, index): Sent => {
      const item = IDS[which] as string;
      const body = act === 'create' ? { title: `t${index}`, status: 'open' } : {};
      const { operation, origin } = sentBy(item.slice(32), 'member', {
        act,
        item,
        body,
      } as Sent['operation']);
      return { operation, origin: { ...origin, epoch: 1 + Math.floor(index / 4) } };
    }),
  );

test('removed is removed for good, whatever is over: who may remove says it again where it would come undone', async () => {
  let undone = 0;
  await fc.assert(
    fc.asyncProperty(life, async (sent) => {
      const admin = replica(sent);
      const isRemoved = (id: string): boolean =>
        admin.collection.get(id) === null &&
        admin.collection.history(id).some(({ act, rejected }) => act === 'remove' && rejected === null);
      const removed = IDS.filter(isRemoved);
      await admin.collection.removeAnew();
      const again = admin.submitted.map(({ act, item, body }) => sentBy(ADA, 'admin', { act, item, body }));
      const after = again.map(({ operation, origin }) => ({
        operation,
        origin: { ...origin, epoch: LAST },
      }));
      for (let over = 1; over <= LAST; over += 1) {
        const { collection: with_ } = replica([...sent, ...after], 'member');
        with_.forget(over);
        for (const id of removed) expect(with_.get(id)).toBeNull();
        const { collection: without } = replica(sent, 'member');
        without.forget(over);
        undone += removed.filter((id) => without.get(id) !== null).length;
      }
      // Nothing is said that is not needed, nor twice.
      expect(admin.submitted.length).toBeLessThanOrEqual(removed.length);
      const heard = replica([...sent, ...after]);
      expect(heard.collection.hasOutlived).toBe(false);
    }),
    { numRuns: 200 },
  );
  expect(undone).toBeGreaterThan(50);
});

test('who may not remove a record says nothing', async () => {
  const [id = ''] = IDS;
  const at = (epoch: number, { operation, origin }: Sent): Sent => ({
    operation,
    origin: { ...origin, epoch },
  });
  const body = { title: 'x', status: 'open' };
  const sent = [
    at(1, sentBy(ADA, 'member', { act: 'create', item: id, body })),
    at(2, sentBy(ADA, 'member', { act: 'remove', item: id, body: {} })),
    at(3, sentBy(ADA, 'member', { act: 'create', item: id, body })),
  ];
  const { collection, submitted } = replica(sent, 'member');
  expect(collection.hasOutlived).toBe(false);
  await collection.removeAnew();
  expect(submitted).toEqual([]);
  const admin = replica(sent);
  expect(admin.collection.hasOutlived).toBe(true);
  // Once it is on its way, it is not said a second time.
  admin.collection.wait(
    { act: 'remove', collection: 'requests', item: id, time: { ms: 9, counter: 9 }, body: {} },
    3,
  );
  expect(admin.collection.hasOutlived).toBe(false);
});
