import { expect, test } from 'vitest';
import { DueSoon } from '../src/due-soon.ts';
import type { RetentionDue } from '../src/release.ts';

const due = (lastSeq: number): RetentionDue => {
  return { isWaived: false, days: [{ firstSeq: 1, lastSeq, dueMs: 5, isExported: false }], deleted: [] };
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One whose relay answers what is set, and never while it is null. */
function dueSoonOf(start: { mayAsk?: boolean; says?: RetentionDue }) {
  const world = { mayAsk: true, reads: 0, changes: 0, says: due(1) as RetentionDue | null, ...start };
  const dueSoon = new DueSoon({
    mayAsk: () => world.mayAsk,
    async read() {
      world.reads += 1;
      await settled();
      if (world.says === null) throw new Error('offline');
      return world.says;
    },
    onChanged: () => void (world.changes += 1),
  });
  return { world, dueSoon };
}

test('a hint has the relay asked again, and what is shown changes when the answer does', async () => {
  const { world, dueSoon } = dueSoonOf({});
  expect([dueSoon.topic, dueSoon.due]).toEqual(['retention', null]);
  dueSoon.wake();
  // Woken while it asks, it asks once more, and not once for each.
  for (let i = 0; i < 5; i += 1) dueSoon.wake();
  await expect.poll(() => world.reads).toBe(2);
  await settled();
  await settled();
  expect([dueSoon.due, world.changes, world.reads]).toEqual([due(1), 1, 2]);
  const before = dueSoon.due;
  world.says = due(1);
  dueSoon.wake();
  await expect.poll(() => world.reads).toBe(3);
  await settled();
  await settled();
  expect(dueSoon.due).toBe(before);
  world.says = due(2);
  dueSoon.wake();
  await expect.poll(() => dueSoon.due).toEqual(due(2));
  expect(world.changes).toBe(2);
});

test('what cannot be asked now stays as it was; after the end nothing is asked', async () => {
  const { world, dueSoon } = dueSoonOf({});
  dueSoon.wake();
  await expect.poll(() => dueSoon.due).toEqual(due(1));
  world.says = null;
  dueSoon.wake();
  await dueSoon.stop();
  expect([dueSoon.due, world.changes]).toEqual([due(1), 1]);
  const { reads } = world;
  dueSoon.wake();
  await settled();
  expect(world.reads).toBe(reads);
});

test('who may not export asks nothing and is shown nothing, and asks when that changes', async () => {
  const { world, dueSoon } = dueSoonOf({ mayAsk: false });
  dueSoon.wake();
  dueSoon.look();
  await settled();
  expect([world.reads, dueSoon.due]).toEqual([0, null]);
  world.mayAsk = true;
  dueSoon.look();
  await expect.poll(() => dueSoon.due).toEqual(due(1));
  dueSoon.look();
  await settled();
  expect(world.reads).toBe(1);
  world.mayAsk = false;
  dueSoon.look();
  await expect.poll(() => dueSoon.due).toBeNull();
  expect(world.reads).toBe(1);
});
