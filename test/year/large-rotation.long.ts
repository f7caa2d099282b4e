import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCrowd, type Crowd } from '../../bench/src/lifecycle/crowd.ts';

const DEVICES = 1_000;
/** A turn of `createEpoch` is 10 ms; the rest is what a busy machine does to it. */
const LONGEST_MS = 250;

let crowd: Crowd;
beforeAll(async () => {
  crowd = await openCrowd(DEVICES, ['--conditions=keytide-source']);
}, 180_000);
afterAll(() => crowd?.close());

test('a rotation for 1,000 devices seals a box for each, and everything else has its turn meanwhile', async () => {
  await crowd.rotate();
  const { client } = crowd;
  const before = client.epoch;
  let [fired, longestMs, lastMs] = [0, 0, performance.now()];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    fired += 1;
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  }, 1);
  try {
    await crowd.rotate();
  } finally {
    clearInterval(timer);
  }
  expect(client.epoch).toBe(before + 1);
  expect(crowd.announced.at(-1)?.boxes).toBe(DEVICES);
  expect(fired).toBeGreaterThan(10);
  expect(longestMs).toBeLessThan(LONGEST_MS);
}, 120_000);
