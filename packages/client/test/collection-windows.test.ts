import type { EpochStatement } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CollectionWindows } from '../src/collection-windows.ts';
import { defineOrganisation, sensitive } from '../src/index.ts';

const DAY_MS = 86_400_000;
const schema = z.object({ text: z.string() });
const definition = defineOrganisation({
  chat: sensitive.log(schema),
  notes: sensitive.log(schema, { retentionDays: 2 }),
  requests: sensitive.record(schema, { retentionDays: 1.5 }),
});

/** Epochs 1 to 5, whose blocks end after so many days. */
const epochs = {
  statementOf: (epoch: number) =>
    epoch < 1 || epoch > 5 ? null : ({ blockEndMs: epoch * DAY_MS } as EpochStatement),
  isForgotten: () => false,
};

function at(days: number, isAdmin = false): CollectionWindows {
  return new CollectionWindows({ definition, epochs, now: () => days * DAY_MS, isAdmin: () => isAdmin });
}

test('a collection’s own window ends that many days after the block, for everybody but admins', () => {
  expect(at(2.4).over()).toEqual([]);
  expect(at(2.5).over()).toEqual([{ collection: 'requests', throughEpoch: 1 }]);
  expect(at(5).over()).toEqual([
    { collection: 'notes', throughEpoch: 3 },
    { collection: 'requests', throughEpoch: 3 },
  ]);
  expect(at(5).isOver('notes', 3)).toBe(true);
  expect(at(5).isOver('notes', 4)).toBe(false);
  for (const unbound of ['chat', 'unknown']) expect(at(100).isOver(unbound, 1)).toBe(false);
  expect(at(100).isOver('notes', 6)).toBe(false);
  expect(at(100, true).over()).toEqual([]);
});

test('what was forgotten before it came is over, and keeps nothing else from being so', () => {
  const forgotten = {
    statementOf: (epoch: number) => (epoch < 3 ? null : epochs.statementOf(epoch)),
    isForgotten: (epoch: number) => epoch < 3,
  };
  const options = { definition, epochs: forgotten, now: () => 5 * DAY_MS, isAdmin: () => false };
  expect(new CollectionWindows(options).over()[0]).toEqual({ collection: 'notes', throughEpoch: 3 });
});

test('and it tells when the next is', () => {
  expect(at(2).dueMs).toBe(DAY_MS / 2);
  expect(at(5).dueMs).toBe(DAY_MS / 2);
  expect(at(100).dueMs).toBe(Infinity);
  expect(at(2, true).dueMs).toBe(Infinity);
});

test('what was over is not counted again at each look, and is less when the clock is put right', () => {
  let days = 1000;
  let looks = 0;
  const windows = new CollectionWindows({
    definition,
    epochs: {
      statementOf: (epoch) => {
        looks += 1;
        return epoch < 1 ? null : ({ blockEndMs: epoch * DAY_MS } as EpochStatement);
      },
      isForgotten: () => false,
    },
    now: () => days * DAY_MS,
    isAdmin: () => false,
  });
  expect(windows.over().map(({ throughEpoch }) => throughEpoch)).toEqual([998, 998]);
  looks = 0;
  days += 1;
  expect(windows.over().map(({ throughEpoch }) => throughEpoch)).toEqual([999, 999]);
  expect(windows.dueMs).toBe(DAY_MS / 2);
  expect(looks).toBeLessThan(20);
  days = 10;
  expect(windows.over().map(({ throughEpoch }) => throughEpoch)).toEqual([8, 8]);
});
