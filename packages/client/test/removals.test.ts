import { expect, test } from 'vitest';
import type { AnyCollection } from '../src/collection.ts';
import { Removals } from '../src/removals.ts';

test('a collection that cannot say a removal again keeps no other waiting', async () => {
  const said: string[] = [];
  const collection = (name: string, isBroken: boolean): AnyCollection => ({
    hasOutlived: true,
    removeAnew: async () => {
      if (isBroken) throw new Error(name);
      said.push(name);
    },
    end: () => {},
  });
  const removals = new Removals({
    ports: { clock: { now: () => 0, wait: async () => {} }, random: (size) => new Uint8Array(size) },
    collections: () => [collection('broken', true), collection('whole', false)],
    isOnline: () => true,
    hasOldRoles: () => false,
  });
  removals.wake();
  await expect.poll(() => said).toEqual(['whole']);
  await removals.stop();
});

test('nothing is said again by a role that does not count yet, and all of it once it does', async () => {
  let said = 0;
  let hasOldRoles = true;
  let wait: () => void = () => {};
  const removals = new Removals({
    ports: {
      clock: { now: () => 0, wait: () => new Promise((resolve) => (wait = resolve)) },
      random: (size) => new Uint8Array(size),
    },
    collections: () => [{ hasOutlived: true, removeAnew: async () => void (said += 1), end: () => {} }],
    isOnline: () => true,
    hasOldRoles: () => hasOldRoles,
  });
  const turn = async (): Promise<void> => {
    removals.wake();
    wait();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await turn();
  hasOldRoles = false;
  removals.wake();
  // It changes in the middle of the wait.
  hasOldRoles = true;
  await turn();
  expect(said).toBe(0);
  hasOldRoles = false;
  await turn();
  expect(said).toBe(1);
  await removals.stop();
});
