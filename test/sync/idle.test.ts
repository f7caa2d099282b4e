import { afterAll, beforeAll, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { countedPorts, openStand, type Stand } from './stand.ts';

const START_MS = 1_767_225_600_000 + 12 * 3_600_000;
const PING_MS = 20_000;
const HOUR_MS = 3_600_000;
const HEARTBEAT_MS = (5 * 60_000) / 2;

const clock = leapingClock(START_MS);
let stand: Stand;
beforeAll(async () => {
  stand = await openStand(clock);
});
afterAll(() => stand.close());

test('an hour with a connection and nothing to say: pings, a heartbeat now and then, and no polling', async () => {
  const { ports, asked } = countedPorts(clock.ports());
  const ada = await stand.found(ports);
  await ada.collections.chat.append({ text: 'good night' });
  await ada.settled();
  // What follows the last message is over.
  await new Promise((resolve) => setTimeout(resolve, 500));
  asked.frames.length = 0;
  asked.calls.length = 0;
  for (let ms = 0; ms < HOUR_MS; ms += PING_MS) {
    const { received } = asked;
    clock.leap(PING_MS);
    await expect.poll(() => asked.received > received, { interval: 5, timeout: 5_000 }).toBe(true);
  }
  expect(ada.state.kind).toBe('online');
  // One look each for access requests and direct messages; what the relay hints at needs none.
  const paths = asked.calls.map((url) => new URL(url).pathname.split('/').slice(4).join('/'));
  expect(paths.length).toBeLessThanOrEqual(4);
  for (const path of paths) expect(['access/requests', 'log', 'log/checkpoint', 'mail']).toContain(path);
  const pings = asked.frames.filter((type) => type === 'ping');
  expect(pings.length).toBeLessThanOrEqual(HOUR_MS / PING_MS + 5);
  // A heartbeat says what the device has seen (docs/spec/heartbeat.md).
  const heartbeats = asked.frames.filter((type) => type === 'ephemeral');
  expect(heartbeats.length).toBeLessThanOrEqual(HOUR_MS / HEARTBEAT_MS + 1);
  expect(pings.length + heartbeats.length).toBe(asked.frames.length);
});
