import { toBase64Url } from '@keytide/crypto-core';
import { createRevokeDevice } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'pre-keys', members: 3 });
const [first, second, third] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const PRE_KEYS = `/organisations/${world.org}/pre-keys`;
let relay: RelayUnderTest;
const tokens = new Map<SeededDevice, string>();

beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock, limits: { preKeyBurst: 4, preKeysPerSecond: 1 } });
  await settle(relay, world);
  for (const device of [first, second, third]) tokens.set(device, await tokenOf(relay, world.org, device));
});
afterAll(() => relay.close());

const as = (device: SeededDevice) => ({ token: tokens.get(device) as string });
const bytes = (size: number) => toBase64Url(world.random(size));
const made = (pairs: number, replacesAll = false) => ({
  bundle: bytes(1900),
  oneTime: Array.from({ length: pairs }, () => bytes(1800)),
  replacesAll,
});
const publish = async (from: SeededDevice, body: unknown) => {
  const { status, body: answer } = await call(relay, 'POST', PRE_KEYS, { ...as(from), body });
  return status === 201 ? 'kept' : answer.code;
};
const leftOf = async (device: SeededDevice) =>
  ((await call(relay, 'GET', PRE_KEYS, as(device))).body as unknown as { left: number | null }).left;
const ask = async (from: SeededDevice, device: string) => {
  const { status, body } = await call(relay, 'POST', `${PRE_KEYS}/${device}`, { ...as(from), body: {} });
  return status === 200 ? body : body.code;
};

test('a device publishes for itself, and each pair is handed out once', async () => {
  expect(await leftOf(second)).toBe(null);
  expect(await ask(first, second.id)).toBe('no-pre-keys');
  const body = made(2);
  expect(await publish(second, body)).toBe('kept');
  expect(await leftOf(second)).toBe(2);
  expect(await ask(first, second.id)).toEqual({ bundle: body.bundle, oneTime: body.oneTime[0] });
  expect(await ask(third, second.id)).toEqual({ bundle: body.bundle, oneTime: body.oneTime[1] });
  expect(await ask(first, second.id)).toEqual({ bundle: body.bundle, oneTime: null });
  expect(await leftOf(second)).toBe(0);
  expect(await leftOf(first)).toBe(null);
});

test('a device that asks for more than its allowance waits', async () => {
  expect(await ask(first, second.id)).toMatchObject({ oneTime: null });
  expect(await ask(first, second.id)).toBe('rate-limited');
  world.clock.advance(1_000);
  expect(await ask(first, second.id)).toMatchObject({ oneTime: null });
});

test('sizes are bounded, and nobody asks for their own or for those of a stranger', async () => {
  expect(await publish(second, { ...made(0), bundle: bytes(4097) })).toBe('malformed');
  expect(await publish(second, { ...made(0), device: first.id })).toBe('malformed');
  for (let pairs = 0; pairs < 96; pairs += 32) expect(await publish(second, made(32))).toBe('kept');
  expect(await publish(second, made(5))).toBe('quota-exceeded');
  expect(await publish(second, made(5, true))).toBe('kept');
  expect(await leftOf(second)).toBe(5);
  world.clock.advance(10_000);
  expect(await ask(second, second.id)).toBe('not-a-recipient');
  expect(await ask(second, 'ab'.repeat(32))).toBe('not-a-recipient');
});

test('a bundle is over after sixty days, and those of a revoked device are gone', async () => {
  expect(await publish(third, made(1))).toBe('kept');
  world.clock.advance(60 * 86_400_000);
  for (const device of [first, third]) tokens.set(device, await tokenOf(relay, world.org, device));
  expect(await leftOf(third)).toBe(null);
  expect(await ask(first, third.id)).toBe('no-pre-keys');
  expect(await publish(third, made(1))).toBe('kept');
  const wire = createRevokeDevice({ ...world.as(first), device: third.id });
  expect((await appendLog(relay, world.org, as(first).token, wire)).status).toBe(201);
  expect(await ask(first, third.id)).toBe('not-a-recipient');
  expect(await publish(third, made(1))).toBe('session-ended');
});
