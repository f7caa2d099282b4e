import { expect, test } from 'vitest';
import { z } from 'zod';
import { ClientError } from '../src/errors.ts';
import { defineOrganisation, sensitive, type Client } from '../src/index.ts';
import { LiveCollection } from '../src/live-collection.ts';
import type { LiveDraft } from '../src/live-line.ts';
import { SteadyTime } from '../src/steady-time.ts';
import { virtualTime } from './sealing/virtual-time.ts';

const schema = z.object({ lat: z.number() });
const START_MS = 1_800_000_000_000;

function makeCollection(connected = { is: true }) {
  const clock = virtualTime(START_MS);
  const sent: LiveDraft[] = [];
  const removed = new Set<string>();
  const line = {
    time: new SteadyTime(clock),
    async send(draft: LiveDraft) {
      if (draft.body['lat'] === 13) throw new ClientError('not-ready', 'no key');
      if (connected.is) sent.push(draft);
      return connected.is;
    },
    isActive: (device: string) => !removed.has(device),
  };
  const context = {
    name: 'places',
    live: line,
  };
  const collection = new LiveCollection(
    sensitive.live(schema, { maxAgeMs: 30_000, minIntervalMs: 5_000 }),
    context,
  );
  const show = (device: string, lat: number, sentMs = clock.now(), room = '') =>
    collection.show({
      device: device as never,
      member: 'm',
      handle: device,
      room,
      sentMs,
      maxAgeMs: 60_000,
      body: { lat },
    });
  const lats = () => collection.current().map(({ device, body }) => [device, body.lat]);
  return { clock, sent, removed, collection, show, lats, connected };
}

test('what is published too early waits, and the newest takes its place', async () => {
  const { clock, sent, collection } = makeCollection();
  for (const lat of [1, 2, 3]) await collection.publish({ lat });
  await collection.publish({ lat: 9 }, { room: 'elsewhere' });
  const said = () => sent.map(({ room, body }) => `${room}${String(body['lat'])}`);
  expect(said()).toEqual(['1', 'elsewhere9']);
  await clock.pass(4_999);
  expect(said()).toEqual(['1', 'elsewhere9']);
  await clock.pass(1);
  expect(said()).toEqual(['1', 'elsewhere9', '3']);
  await collection.publish({ lat: 4 });
  await clock.pass(5_000);
  expect(said()).toEqual(['1', 'elsewhere9', '3', '4']);
  await clock.pass(60_000);
  expect(sent).toHaveLength(4);
});

test('without a connection a value is let go, and the next one need not wait', async () => {
  const { clock, sent, collection, connected } = makeCollection({ is: false });
  await collection.publish({ lat: 1 });
  connected.is = true;
  await collection.publish({ lat: 2 });
  await clock.pass(60_000);
  expect(sent.map(({ body }) => body['lat'])).toEqual([2]);
  // What kept a value from being sealed is told at once, and does not count as sent either.
  await expect(collection.publish({ lat: 13 })).rejects.toMatchObject({ code: 'not-ready' });
  await collection.publish({ lat: 3 });
  expect(sent).toHaveLength(2);
});

test('what does not fit is neither sent nor shown', async () => {
  const { sent, collection, show } = makeCollection();
  await expect(collection.publish({ lat: 'north' } as never)).rejects.toMatchObject({
    code: 'invalid-value',
  });
  expect(sent).toEqual([]);
  expect(show('bo', 'north' as never)).toBe(false);
  expect(collection.current()).toEqual([]);
});

test('of each device in each room the latest is shown, until it is too old', async () => {
  const { clock, collection, show, lats } = makeCollection();
  show('bo', 1);
  show('bo', 5, clock.now(), 'north');
  await clock.pass(10_000);
  show('cy', 2);
  show('bo', 3);
  expect(lats()).toEqual([
    ['bo', 5],
    ['cy', 2],
    ['bo', 3],
  ]);
  expect(collection.current('north').map(({ body }) => body.lat)).toEqual([5]);
  await clock.pass(20_001);
  expect(lats()).toEqual([
    ['cy', 2],
    ['bo', 3],
  ]);
  await clock.pass(10_000);
  expect(lats()).toEqual([]);
});

test('no sender can have a value shown for longer than the collection says', async () => {
  const { clock, show, lats } = makeCollection();
  show('bo', 1, clock.now() - 29_000);
  expect(lats()).toEqual([['bo', 1]]);
  await clock.pass(1_001);
  expect(lats()).toEqual([]);
});

test('a clock that is set back does not keep a value', async () => {
  const time = virtualTime(START_MS);
  let backMs = 0;
  const steady = new SteadyTime({
    now: () => time.now() - backMs,
    wait: (ms, signal) => time.wait(ms, signal),
  });
  const collection = new LiveCollection(sensitive.live(schema, { maxAgeMs: 30_000, minIntervalMs: 5_000 }), {
    name: 'places',
    live: { time: steady, send: async () => true, isActive: () => true },
  });
  collection.show({
    device: 'bo' as never,
    member: 'm',
    handle: 'bo',
    room: '',
    sentMs: START_MS,
    maxAgeMs: 60_000,
    body: { lat: 1 },
  });
  backMs = 3_600_000;
  await time.pass(30_001);
  expect(collection.current()).toEqual([]);
});

test('followers get what is current whenever it changes, also when something goes', async () => {
  const { clock, collection, removed, show } = makeCollection();
  const seen: number[][] = [];
  const following = (async () => {
    for await (const items of collection.follow()) seen.push(items.map(({ body }) => body.lat));
  })();
  await clock.pass(1);
  show('bo', 1);
  show('cy', 2);
  await clock.pass(1);
  removed.add('cy');
  collection.look();
  await clock.pass(40_000);
  collection.end();
  await following;
  expect(seen).toEqual([[], [1, 2], [1], []]);
});

test('a value that goes before the others wakes its followers in time', async () => {
  const { clock, collection, show } = makeCollection();
  const seen: number[] = [];
  const following = (async () => {
    for await (const items of collection.follow()) seen.push(items.length);
  })();
  show('bo', 1);
  await clock.pass(1);
  show('cy', 2, clock.now() - 28_000);
  await clock.pass(2_001);
  expect(seen).toEqual([0, 1, 2, 1]);
  collection.end();
  await following;
});

test('after the end nothing is sent and nothing is held', async () => {
  const { clock, sent, collection, show } = makeCollection();
  await collection.publish({ lat: 1 });
  await collection.publish({ lat: 2 });
  show('bo', 1);
  collection.end();
  await clock.pass(60_000);
  expect([sent.length, collection.current()]).toEqual([1, []]);
});

test.each([
  { maxAgeMs: 600_001 },
  { maxAgeMs: 9_999 },
  { maxAgeMs: 30_000.5 },
  { maxAgeMs: Number.NaN },
  { minIntervalMs: 999 },
  { minIntervalMs: Number.NaN },
])('times out of their range are refused: %o', (options) => {
  expect(() => sensitive.live(schema, options)).toThrow(RangeError);
});

test('the types keep live values apart from what is stored', () => {
  const definition = defineOrganisation({ places: sensitive.live(schema), chat: sensitive.log(schema) });
  const misuse = (client: Client<typeof definition>): void => {
    void client.collections.places.publish({ lat: 1 });
    for (const { body } of client.collections.places.current()) body.lat satisfies number;
    // @ts-expect-error -- not of the schema
    void client.collections.places.publish({ lat: 'north' });
    // @ts-expect-error -- a live value is never stored
    void client.collections.places.append({ lat: 1 });
    // @ts-expect-error -- nor read back from a store
    void client.collections.places.read();
    // @ts-expect-error -- what is stored is no live value
    void client.collections.chat.publish({ lat: 1 });
    // @ts-expect-error -- nothing is retained, so there is no retention
    sensitive.live(schema, { retentionDays: 1 });
  };
  expect(misuse).toBeTypeOf('function');
});
