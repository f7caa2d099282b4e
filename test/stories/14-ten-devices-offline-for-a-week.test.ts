import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cast } from '../year/cast.ts';
import type { Phone } from '../year/phone.ts';
import { SOME_WEEKS } from '../year/plans.ts';

const DAY = 86_400;
const DAY_MS = DAY * 1000;
/** Blocks of a day, and keys reach a device for three days after its own have ended. */
const policy = {
  blockSeconds: DAY,
  retentionSeconds: 30 * DAY,
  exportSeconds: 60 * DAY,
  silenceSeconds: 3 * DAY,
};

let cast: Cast;
let ada: Phone;
let ten: Phone[];
const texts = ({ app }: Phone): string[] => app.collections.chat.read().map(({ body }) => body.text);

async function says(phone: Phone, text: string): Promise<void> {
  await cast.pump.during(phone.app.collections.chat.append({ text }), text);
  await cast.settle();
}

beforeAll(async () => {
  cast = await Cast.found({ ...SOME_WEEKS, seed: 'ten devices', policy });
  ada = cast.phones[0] as Phone;
  for (let i = 0; i < 10; i += 1) await cast.admit(ada, { role: 'member' });
  ten = cast.phones.slice(1);
}, 180_000);
afterAll(() => cast?.close());

test('ten devices are away for a week, while somebody writes every day', async () => {
  await says(ada, 'off you go');
  for (const phone of ten) expect(texts(phone)).toEqual(['off you go']);
  for (const phone of ten) await phone.turnOff();
  for (let day = 1; day <= 7; day += 1) {
    cast.hours.leap(DAY_MS);
    await says(ada, `day ${day}`);
  }
  expect(ada.app.epoch).toBe(8);
}, 180_000);

test('all ten come back at once, and each has something to say', async () => {
  cast.hours.leap(DAY_MS);
  await Promise.all(ten.map((phone) => phone.turnOn()));
  const saying = ten.map((phone) => phone.app.collections.chat.append({ text: `${phone.name} is back` }));
  await cast.pump.during(Promise.all(saying), 'all ten to speak');
  await cast.settle();
  // Each has started at most one epoch: who received no key of the newest cannot write in it.
  expect(ada.app.epoch).toBeGreaterThan(8);
  expect(ada.app.epoch).toBeLessThanOrEqual(18);
}, 180_000);

test('everybody reads everything, also what was written while nobody could seal a key to them, in one order', () => {
  const written = texts(ada);
  expect(written.slice(0, 8)).toEqual(['off you go', ...[1, 2, 3, 4, 5, 6, 7].map((day) => `day ${day}`)]);
  expect(written.slice(8).toSorted()).toEqual(ten.map(({ name }) => `${name} is back`).toSorted());
  for (const phone of ten) {
    expect(texts(phone)).toEqual(written);
    expect([...phone.app.unreadable, ...phone.app.missing]).toEqual([]);
  }
});
