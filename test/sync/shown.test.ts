import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashingStore } from './crashing-store.ts';
import { openStand, texts, type Stand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

const PATIENCE = { timeout: 20_000 };

test('what a view shows stays the same object until something in it changes, and a view is told then', async () => {
  const ada = await stand.found();
  const bo = await stand.admit(ada, 'bo');
  const { chat, requests } = bo.collections;
  await ada.collections.chat.append({ text: 'north' }, { room: 'north' });
  const [first, second] = [
    await ada.collections.requests.create({ title: 'first' }),
    await ada.collections.requests.create({ title: 'second' }),
  ];
  await expect.poll(() => requests.list().length, PATIENCE).toBe(2);
  const told = { chat: 0, requests: 0, client: 0 };
  chat.subscribe(() => void (told.chat += 1));
  requests.subscribe(() => void (told.requests += 1));
  bo.subscribe(() => void (told.client += 1));
  const before = {
    all: chat.read(),
    north: chat.read({ room: 'north' }),
    south: chat.read({ room: 'south' }),
    list: requests.list(),
    first: requests.get(first),
    second: requests.get(second),
    members: bo.members(),
    unreadable: bo.unreadable,
    state: bo.state,
  };

  await ada.collections.chat.append({ text: 'south' }, { room: 'south' });
  await expect.poll(() => told.chat, PATIENCE).toBe(1);
  expect(chat.read()).not.toBe(before.all);
  expect(chat.read({ room: 'south' })).not.toBe(before.south);
  expect(chat.read({ room: 'north' })).toBe(before.north);
  expect([requests.list(), bo.members(), bo.unreadable, bo.state]).toEqual([
    before.list,
    before.members,
    before.unreadable,
    before.state,
  ]);
  expect(requests.list()).toBe(before.list);
  expect(bo.members()).toBe(before.members);
  expect(bo.unreadable).toBe(before.unreadable);
  expect(told.requests).toBe(0);

  await ada.collections.requests.edit(first, { title: 'changed' });
  await expect.poll(() => told.requests, PATIENCE).toBe(1);
  expect(requests.list()).not.toBe(before.list);
  expect(requests.get(first)).toEqual({ id: first, body: { title: 'changed' }, pending: false });
  expect(requests.get(second)).toBe(before.second);
  expect(requests.get('00'.repeat(16))).toBeNull();
  expect(told.chat).toBe(1);

  const { client } = told;
  await stand.admit(ada, 'cy');
  await expect.poll(() => bo.members().length, PATIENCE).toBe(3);
  expect(told.client).toBeGreaterThan(client);
  const [, , cy] = bo.members();
  const members = bo.members();
  await bo.acknowledge(cy as (typeof members)[number]);
  expect(bo.members()).not.toBe(members);
});

test('a backlog is told in pages, not message by message', async () => {
  const ada = await stand.found();
  const store = crashingStore();
  await (await stand.admit(ada, 'bo', undefined, store)).close();
  for (let n = 0; n < 700; n += 1) await ada.collections.chat.append({ text: `message ${n}` });
  await ada.settled();
  const bo = await stand.open(store);
  const lengths: number[] = [];
  bo.collections.chat.subscribe(() => lengths.push(bo.collections.chat.read().length));
  await expect.poll(() => texts(bo).length, PATIENCE).toBe(700);
  await bo.online();
  expect(lengths.length).toBeLessThan(10);
  expect(lengths[lengths.length - 1]).toBe(700);
});

test('a listener that throws stops nothing', async () => {
  const ada = await stand.found();
  const failed: unknown[] = [];
  const onError = (error: unknown): void => void failed.push(error);
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', onError);
  const error = new Error("the application's own");
  const end = ada.collections.chat.subscribe(() => {
    throw error;
  });
  await ada.collections.chat.append({ text: 'one' });
  await ada.settled();
  await expect.poll(() => failed, PATIENCE).toEqual([error]);
  end();
  process.removeListener('uncaughtException', onError);
  for (const listener of listeners) process.on('uncaughtException', listener);
  await ada.collections.chat.append({ text: 'two' });
  await ada.settled();
  expect(texts(ada)).toEqual(['one', 'two']);
});
