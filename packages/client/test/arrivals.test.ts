import type { OpenedMessage } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Arrivals } from '../src/arrivals.ts';
import type { ClientEvents } from '../src/client-events.ts';
import { makeCollections, type CollectionContext } from '../src/collection.ts';
import { CollectionWindows } from '../src/collection-windows.ts';
import { Emitter } from '../src/emitter.ts';
import { HybridClock } from '../src/hybrid-clock.ts';
import { defineOrganisation, sensitive, type LogCollection } from '../src/index.ts';
import { messageJudge } from '../src/judge-message.ts';
import { channelOf, encodeOperation, type Operation } from '../src/operation.ts';
import { groupWorld } from './group-world.ts';

const DAY_MS = 86_400_000;
const world = await groupWorld();
const definition = defineOrganisation({
  notes: sensitive.log(z.object({ text: z.string() }), { retentionDays: 1 }),
});
const operation: Operation = {
  act: 'append',
  collection: 'notes',
  item: '',
  time: { ms: 7, counter: 0 },
  body: { text: 'x' },
};

/** What arrives of an operation: in epoch 1, whose block ends on the first day; looked at a while later. */
async function arrive(sent: Operation, { channelOfItem = sent.item, afterDays = 0 } = {}) {
  const { directory } = await world.makeRing();
  const events = new Emitter<ClientEvents>();
  const told: string[] = [];
  events.on('unreadable', ({ code }) => told.push(code));
  events.on('rejected', ({ code, handle, collection }) => told.push(`${code} ${handle} ${collection}`));
  const windows = new CollectionWindows({
    definition,
    epochs: {
      statementOf: (epoch) => (epoch === 1 ? ({ blockEndMs: DAY_MS } as never) : null),
      isForgotten: () => false,
    },
    now: () => (1 + afterDays) * DAY_MS,
    isAdmin: () => false,
  });
  const collections = makeCollections(definition, {} as CollectionContext);
  const clock = new HybridClock();
  const isExpired = (): boolean => false;
  const arrivals = new Arrivals({
    device: world.device,
    judge: messageJudge({ primitives, directory, collections, windows, isExpired }),
    collections,
    clock,
    events,
    windows,
    isExpired,
  });
  const message = {
    sender: world.device,
    channel: channelOf(primitives, sent.collection, channelOfItem),
    payload: encodeOperation(sent),
  } as OpenedMessage;
  const outcome = { kind: 'message', seq: 1, epoch: 1, role: 'admin', endMs: Infinity, message } as const;
  const take = (other: Partial<OpenedMessage> = {}): void =>
    arrivals.take({ ...outcome, message: { ...message, ...other }, missing: [], divergence: null });
  take();
  const shown = (collections.get('notes') as LogCollection<{ text: string }>).read().length;
  return { shown, told, rejected: arrivals.rejected, arrivals, take };
}

test('what came in its own channel is shown, and nothing else', async () => {
  expect(await arrive(operation)).toMatchObject({ shown: 1, told: [], rejected: [] });
  expect(await arrive(operation, { channelOfItem: 'another room' })).toMatchObject({
    shown: 0,
    told: ['invalid', 'malformed ada notes'],
    rejected: [{ seq: 1, code: 'malformed', role: 'admin', device: world.device, timeMs: 7 }],
  });
  const unknown = { ...operation, collection: 'plans' };
  expect(await arrive(unknown)).toMatchObject({ told: ['invalid', 'unknown-collection ada plans'] });
});

test('a message is held against the channel of its own room, whichever was read before', async () => {
  for (const other of [{ item: 'another room' }, { collection: 'plans' }]) {
    const { take, told } = await arrive(operation);
    const sent = { ...operation, ...other };
    take({ payload: encodeOperation(sent) });
    expect(told).toEqual(['invalid', `malformed ada ${sent.collection}`]);
  }
});

test('what is over for its collection is not shown when it comes, and goes when its time comes', async () => {
  expect(await arrive(operation, { afterDays: 0.9 })).toMatchObject({ shown: 1, told: [] });
  expect(await arrive(operation, { afterDays: 1 })).toMatchObject({ shown: 0, told: ['expired-by-policy'] });
});

test('evidence goes with its epoch', async () => {
  const { arrivals, told } = await arrive({ ...operation, body: {} });
  expect(arrivals.rejected.map(({ code, payload }) => [code, payload.length > 0])).toEqual([
    ['schema', true],
  ]);
  arrivals.forget(1);
  expect([arrivals.rejected, told.at(-1)]).toEqual([[], 'expired-by-policy']);
});

test('what shows nothing is told once, however often it is decided anew', async () => {
  const invalid = await arrive({ ...operation, body: {} });
  invalid.take();
  expect(invalid.told).toEqual(['invalid', 'schema ada notes']);
  const over = await arrive(operation, { afterDays: 1 });
  over.take();
  expect(over.told).toEqual(['expired-by-policy']);
});
