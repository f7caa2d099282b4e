import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cast, type Person } from '../year/cast.ts';
import type { Phone } from '../year/phone.ts';
import { SOME_WEEKS } from '../year/plans.ts';

const DAY = 86_400;
const DAY_MS = DAY * 1000;
/** Blocks of a day. Members read three days, admins thirty. */
const policy = {
  blockSeconds: DAY,
  retentionSeconds: 3 * DAY,
  exportSeconds: 30 * DAY,
  silenceSeconds: 3 * DAY,
};

let cast: Cast;
let [ada, bo, cy]: (Phone | undefined)[] = [];
const on = (phone: Phone | undefined): Phone => phone as Phone;
const texts = (phone: Phone | undefined): string[] =>
  on(phone)
    .app.collections.chat.read()
    .map(({ body }) => body.text);
const reasons = (phone: Phone | undefined): string[] => [
  ...new Set(on(phone).app.unreadable.map(({ code }) => code)),
];

async function says(phone: Phone | undefined, text: string): Promise<void> {
  await cast.pump.during(on(phone).app.collections.chat.append({ text }), text);
  await cast.settle();
}

async function days(count: number): Promise<void> {
  for (let day = 0; day < count; day += 1) {
    cast.hours.leap(DAY_MS);
    await cast.settle();
  }
}

beforeAll(async () => {
  cast = await Cast.found({ ...SOME_WEEKS, seed: 'hands over', policy });
  ada = cast.phones[0];
  bo = await cast.admit(on(ada), { role: 'member' });
  cy = await cast.admit(on(ada), { role: 'member' });
  await says(ada, 'day 0');
}, 60_000);
afterAll(() => cast?.close());

test('ada makes bo an admin; from then on bo keeps what others lose', async () => {
  await cast.pump.during(on(ada).app.setRole(on(bo).app.member, 'admin'), 'another role');
  await cast.settle();
  await days(5);
  await says(ada, 'day 5');
  expect(texts(bo)).toEqual(['day 0', 'day 5']);
  expect([texts(cy), reasons(cy)]).toEqual([['day 5'], ['expired-by-policy']]);
});

test('bo takes over: ada is a member like others, and what is over for members is gone at once', async () => {
  await cast.pump.during(on(bo).app.setRole(on(ada).app.member, 'member'), 'another role');
  await cast.settle();
  await cast.pump.pass(700_000);
  expect([texts(ada), reasons(ada)]).toEqual([['day 5'], ['expired-by-policy']]);
  await expect(on(ada).app.invite()).rejects.toMatchObject({ code: 'not-permitted' });
});

test('a new phone of cy is answered by bo, and ada is not even asked', async () => {
  const phone = await cast.admit(on(bo), { phoneOf: cast.ownerOf(on(cy)) as Person });
  await cast.settle();
  expect(reasons(phone)).toEqual(['expired-by-policy', 'ask-an-admin']);
  await cast.pump.during(phone.app.access.request(), 'a request');
  await cast.settle();
  expect(on(ada).app.access.inbox).toEqual([]);
  const [asked] = on(bo).app.access.inbox;
  const id = asked?.id ?? 'none';
  await expect(on(ada).app.access.approve(id)).rejects.toMatchObject({ code: 'unknown-request' });
  await cast.pump.during(on(bo).app.access.approve(id), 'a grant');
  await cast.settle();
  expect(texts(phone)).toEqual(['day 5']);
});

test('bo removes ada, and goes on alone', async () => {
  await cast.pump.during(on(bo).app.removeMember(on(ada).app.member), 'a removal');
  await cast.settle();
  expect(on(ada).app.state.kind).toBe('stopped');
  await says(bo, 'without ada');
  expect(texts(cy)).toEqual(['day 5', 'without ada']);
  expect(texts(bo)).toEqual(['day 0', 'day 5', 'without ada']);
});
