import { nodePorts } from '@keytide/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashingStore } from './crashing-store.ts';
import { openStand, type Device, type Stand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

const PATIENCE = { timeout: 20_000 };
const shown = ({ collections: { requests } }: Device): [string, boolean][] =>
  requests
    .list()
    .map(({ body, pending }): [string, boolean] => [body.title, pending])
    .toSorted();

test('a record made offline is shown, edited and removed at once, outlives a killed process, and all agree', async () => {
  const ada = await stand.found();
  const store = crashingStore();
  const bo = await stand.admit(ada, 'bo', undefined, store);
  const common = await ada.collections.requests.create({ title: 'of ada' });
  await expect.poll(() => shown(bo), PATIENCE).toEqual([['of ada', false]]);

  bo.pause();
  const { requests } = bo.collections;
  let told = 0;
  requests.subscribe(() => void (told += 1));
  const water = await requests.create({ title: 'water' });
  expect(requests.get(water)).toEqual({ id: water, body: { title: 'water' }, pending: true });
  expect(told).toBe(1);
  expect(requests.get(water)).toBe(requests.get(water));
  await requests.edit(water, { title: 'water, 2 boxes' });
  await requests.edit(common, { title: 'of ada and bo' });
  const mistake = await requests.create({ title: 'a mistake' });
  await requests.remove(mistake);
  await expect(requests.edit(mistake, { title: 'again' })).rejects.toMatchObject({ code: 'unknown-record' });
  const offline: [string, boolean][] = [
    ['of ada and bo', true],
    ['water, 2 boxes', true],
  ];
  expect(shown(bo)).toEqual(offline);
  expect(requests.history(water)).toEqual([]);
  expect(shown(ada)).toEqual([['of ada', false]]);

  // Killed. The next process has no network either, nor a clock that has gone on.
  const killed = store.crash((unsafe) => unsafe);
  const fetch = (): Promise<never> => Promise.reject(new TypeError('no network'));
  const lateMs = 3_600_000;
  const clock = { ...nodePorts.clock, now: () => Date.now() - lateMs };
  const again = await stand.open(killed, { ...nodePorts, fetch, clock });
  expect(shown(again)).toEqual(offline);
  await again.collections.requests.edit(water, { title: 'water, 3 boxes' });
  expect(again.collections.requests.get(water)?.body.title).toBe('water, 3 boxes');
  await again.close();

  const back = await stand.open(killed);
  expect(shown(back).map(([title]) => title)).toEqual(['of ada and bo', 'water, 3 boxes']);
  const states: [string, boolean][][] = [];
  back.collections.requests.subscribe(() => states.push(shown(back)));
  await back.settled();
  const expected: [string, boolean][] = [
    ['of ada and bo', false],
    ['water, 3 boxes', false],
  ];
  expect(shown(back)).toEqual(expected);
  // On the way nothing went away, and nothing older was shown again.
  for (const state of states)
    expect(state.map(([title]) => title)).toEqual(['of ada and bo', 'water, 3 boxes']);
  expect(states.at(-1)).toEqual(expected);
  await expect.poll(() => shown(ada), PATIENCE).toEqual(expected);
  const history = (device: Device): string[] =>
    device.collections.requests
      .history(water)
      .map(({ act, changed }) => `${act} ${String(changed['title'])}`);
  expect(history(ada)).toEqual(['create water', 'edit water, 2 boxes', 'edit water, 3 boxes']);
  expect(history(back)).toEqual(history(ada));
  expect(ada.collections.requests.get(mistake)).toBeNull();
  expect([ada.rejected, back.rejected, ada.missing]).toEqual([[], [], []]);
});

test('where the power was cut, and the log here is shorter than what waits, it is shown with the log', async () => {
  const ada = await stand.found();
  const store = crashingStore();
  const bo = await stand.admit(ada, 'bo', undefined, store);
  const id = await ada.collections.requests.create({ title: 'of ada' });
  await expect.poll(() => bo.collections.requests.get(id), PATIENCE).not.toBeNull();
  bo.pause();
  await bo.collections.requests.edit(id, { title: 'of ada and bo' });
  const back = await stand.open(store.crash(() => 0));
  expect(shown(back)).toEqual([]);
  const states: [string, boolean][][] = [];
  back.collections.requests.subscribe(() => states.push(shown(back)));
  await back.settled();
  expect(states.slice(-2)).toEqual([[['of ada and bo', true]], [['of ada and bo', false]]]);
});

test('what was written offline by a clock that was ahead keeps its order once it is put right', async () => {
  const ada = await stand.found();
  let aheadMs = 0;
  const clock = { ...nodePorts.clock, now: () => nodePorts.clock.now() + aheadMs };
  const bo = await stand.admit(ada, 'bo', { ...nodePorts, clock });
  await bo.collections.chat.append({ text: 'good morning' });
  await bo.settled();
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('offline');
  // By more than a block: all of it is clipped to the same end of time.
  aheadMs = 10 * 86_400_000;
  const { requests } = bo.collections;
  const [, id] = (await requests.createMany([{ title: 'x' }, { title: 'zzz' }])) as [string, string];
  for (const title of ['zz', 'z']) {
    aheadMs += 1000;
    await requests.edit(id, { title });
  }
  aheadMs = 0;
  bo.resume();
  await bo.settled();
  expect(requests.get(id)).toEqual({ id, body: { title: 'z' }, pending: false });
  await expect.poll(() => ada.collections.requests.get(id)?.body.title, PATIENCE).toBe('z');
});

test('what an admin no longer allows when it is sent is shown as waiting, and then not at all', async () => {
  const ada = await stand.found();
  const bo = await stand.admit(ada, 'bo');
  const id = await ada.collections.requests.create({ title: 'of ada' });
  await expect.poll(() => bo.collections.requests.get(id), PATIENCE).not.toBeNull();
  const { epoch } = ada;
  await ada.setRole(bo.member, 'admin');
  await expect.poll(() => bo.epoch, PATIENCE).toBe(epoch + 1);
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('offline');
  await bo.collections.requests.remove(id);
  expect(bo.collections.requests.get(id)).toBeNull();
  await ada.setRole(bo.member, 'member');
  await expect.poll(() => ada.epoch, PATIENCE).toBe(epoch + 2);
  bo.resume();
  await bo.settled();
  expect(bo.rejected.map(({ code }) => code)).toEqual(['role']);
  expect(bo.collections.requests.get(id)).toEqual({ id, body: { title: 'of ada' }, pending: false });
});
