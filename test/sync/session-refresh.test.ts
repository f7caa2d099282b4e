import type { Ports } from '@keytide/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { countedPorts, openStand, texts, type Device, type Stand } from './stand.ts';

const ACCESS_MS = 300_000;
/** Above the time between two pings, under the silence after which a socket is given up. */
const STEP_MS = 30_000;
const PATIENCE = { timeout: 20_000 };
const clock = leapingClock(Date.now());
/** What the relay's clock alone is ahead. */
let aheadMs = 0;
let stand: Stand;
beforeAll(async () => {
  stand = await openStand(
    { now: () => clock.now() + aheadMs },
    {
      ...{ accessMs: ACCESS_MS, organisationBurst: 1_200, organisationPerSecond: 4 },
    },
  );
});
afterAll(() => stand.close());

/** Lets time pass, after which the device asks the relay for a sign of life, and has it. */
async function pass(asked: { readonly received: number }): Promise<void> {
  const { received } = asked;
  clock.leap(STEP_MS);
  await expect.poll(() => asked.received, PATIENCE).toBeGreaterThan(received);
}

/** Lets time pass until this holds, which is soon. */
async function passUntil(asked: { readonly received: number }, holds: () => boolean): Promise<void> {
  for (let steps = 0; steps < 60 && !holds(); steps += 1) await pass(asked);
  expect(holds()).toBe(true);
}

/** How often refresh tokens of this device's organisation came a second time. */
const alarms = ({ org }: Device): number =>
  stand.events.filter((event) => event.event === 'refresh-reused' && event.org === org.slice(0, 8)).length;

/** What happens to the refreshes that a device sends; `shown` are the tokens in them. */
function refreshing(after: (response: Response) => Promise<Response>): { ports: Ports; shown: string[] } {
  const shown: string[] = [];
  const own = clock.ports();
  const ports: Ports = {
    ...own,
    async fetch(input, init) {
      const response = await own.fetch(input, init);
      if (!String(input).endsWith('/sessions/refresh')) return response;
      shown.push((JSON.parse(String(init?.body)) as { refreshToken: string }).refreshToken);
      return after(response);
    },
  };
  return { ports, shown };
}

async function says(device: Device, text: string): Promise<void> {
  await device.collections.chat.append({ text });
  await device.settled();
}

test('an open socket outlives its access tokens', async () => {
  const { ports, asked } = countedPorts(clock.ports());
  const ada = await stand.found(ports);
  const states: string[] = [];
  ada.on('state', ({ kind }) => states.push(kind));
  await says(ada, 'one');
  const logins = () => asked.calls.filter((url) => url.endsWith('/challenges')).length;
  const before = logins();
  const hellos = () => asked.frames.filter((type) => type === 'hello').length;
  for (let renewals = 1; renewals <= 3; renewals += 1) {
    // A token is renewed when a quarter of its time is left.
    for (let passedMs = 0; passedMs < ACCESS_MS * 0.75; passedMs += STEP_MS) await pass(asked);
    await expect.poll(hellos, PATIENCE).toBe(1 + renewals);
  }
  await says(ada, 'two');
  expect(states).toEqual([]);
  expect(logins()).toBe(before);
});

test('a lost answer to a refresh locks nobody out, and is no false alarm', async () => {
  let lost = 0;
  const { ports, shown } = refreshing((response) => {
    lost += 1;
    return lost > 2 ? Promise.resolve(response) : Promise.reject(new TypeError('the connection was cut'));
  });
  const { ports: counted, asked } = countedPorts(ports);
  const ada = await stand.found(counted);
  await passUntil(asked, () => lost > 2);
  await ada.online();
  await says(ada, 'still here');
  // No token was ever shown twice, so a second use is always somebody else's.
  expect(new Set(shown).size).toBe(shown.length);
  expect(alarms(ada)).toBe(0);
});

test('who stole a refresh token is out when the device refreshes, and the device goes on by its key', async () => {
  let stolen: { url: string; refreshToken: string } | null = null;
  const thief = async (): Promise<{ token: string } | null> => {
    const { url, refreshToken } = stolen as { url: string; refreshToken: string };
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/refresh`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ refreshToken }),
    });
    return answer.status === 200 ? ((await answer.json()) as { token: string }) : null;
  };
  const { ports: own, asked } = countedPorts(clock.ports());
  const ports: Ports = {
    ...own,
    async fetch(input, init) {
      const response = await own.fetch(input, init);
      if (stolen !== null || !String(input).endsWith('/sessions')) return response;
      const body = (await response.clone().json()) as { refreshToken: string };
      stolen = { url: String(input), refreshToken: body.refreshToken };
      return response;
    },
  };
  const ada = await stand.found(ports);
  await says(ada, 'first');
  const theirs = await thief();
  const read = async () => {
    const { url } = stolen as { url: string };
    const headers = { authorization: `Bearer ${theirs?.token}` };
    return (await fetch(url.replace(/sessions$/, 'log?from=0'), { headers })).status;
  };
  expect(await read()).toBe(200);
  await passUntil(asked, () => alarms(ada) > 0);
  expect(alarms(ada)).toBe(1);
  expect(await read()).toBe(401);
  await ada.online();
  await says(ada, 'mine');
  expect(texts(ada)).toEqual(['first', 'mine']);
});

test('an admin logs out a device, which comes back by its key; a member may not', async () => {
  const ada = await stand.found(clock.ports());
  const bo = await stand.admit(ada, 'bo', clock.ports());
  await says(ada, 'hello');
  const reasons: (string | null)[] = [];
  bo.on('state', (state) => state.kind === 'offline' && reasons.push(state.reason?.relayCode ?? null));
  await ada.logOut(bo.device);
  await expect.poll(() => reasons).toEqual(['session-ended']);
  await bo.online();
  await says(bo, 'back');
  await expect(bo.logOut(ada.device)).rejects.toMatchObject({ relayCode: 'not-a-member' });
  await bo.logOut('others');
  expect(bo.state.kind).toBe('online');
});

test('an organisation that writes too often waits on its open socket, and nothing is lost or said twice', async () => {
  const { ports, asked } = countedPorts(clock.ports());
  const ada = await stand.found(ports);
  const bo = await stand.admit(ada, 'bo', clock.ports());
  await says(ada, 'first');
  const said = ['first'];
  const states: string[] = [];
  for (const device of [ada, bo]) device.on('state', ({ kind }) => states.push(kind));
  const isRefused = async () => /refus\w*\{code="rate-limited"\} [1-9]/u.test(await stand.relay.metrics());
  expect(await isRefused()).toBe(false);
  while (said.length < 300 && !(await isRefused())) {
    said.push(`message ${said.length}`);
    await ada.collections.chat.append({ text: said.at(-1) as string });
    await expect.poll(async () => ada.waiting === 0 || (await isRefused()), PATIENCE).toBe(true);
  }
  said.push('meanwhile');
  await ada.collections.chat.append({ text: 'meanwhile' });
  const hellos = asked.frames.filter((type) => type === 'hello').length;
  await pass(asked);
  await ada.settled();
  expect(texts(ada)).toEqual(said);
  await expect.poll(() => texts(bo), PATIENCE).toEqual(said);
  expect(states).toEqual([]);
  expect(asked.frames.filter((type) => type === 'hello').length).toBe(hellos);
});

test('a session that is over altogether begins anew with a challenge', async () => {
  const { ports, asked } = countedPorts(clock.ports());
  const ada = await stand.found(ports);
  const before = asked.calls.length;
  aheadMs = 31 * 24 * 3_600_000;
  await ada.logOut('others');
  const since = asked.calls.slice(before).map((url) => url.split('/').at(-1) as string);
  const logins = since.filter((name) => ['refresh', 'challenges', 'sessions'].includes(name));
  expect(logins.slice(0, 3)).toEqual(['refresh', 'challenges', 'sessions']);
});
