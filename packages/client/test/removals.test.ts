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
  });
  removals.wake();
  await expect.poll(() => said).toEqual(['whole']);
  await removals.stop();
});
