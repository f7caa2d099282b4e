import { memoryKeyStore } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { AccessDecisions } from '../src/access-decisions.ts';
import { Access, type AccessOptions } from '../src/access.ts';
import { OwnRequests } from '../src/own-request.ts';
import { accessWorld } from './access-world.ts';

/** A clock that goes on when it is told to; waits end then, or when they are aborted. */
function steppedClock(startMs: number) {
  let nowMs = startMs;
  const waiting = new Set<() => void>();
  return {
    now: () => nowMs,
    wait: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        const endMs = nowMs + ms;
        const look = (): void => {
          if (nowMs < endMs && signal?.aborted !== true) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        signal?.addEventListener('abort', look);
        look();
      }),
    advance(ms: number) {
      nowMs += ms;
      for (const look of [...waiting]) look();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('hints without end: an admin’s device looks a few times at once, then now and then, and checks each request once', async () => {
  const { world, counting, random, alice, carol, dave, ask, wireAt, verifications } = accessWorld('hints');
  const clock = steppedClock(world.clock.now());
  const keyStore = memoryKeyStore();
  const first = ask(carol).wire;
  const shown = [first];
  let looks = 0;
  let isOnline = true;
  const access = new Access({
    log: {
      ports: { primitives: counting },
      self: { device: alice.id },
      directory: {
        get state() {
          return world.state;
        },
        get size() {
          return world.state.size;
        },
        wires: (from: number) => [wireAt(from)],
        rootAt: (size: number) => (size === world.state.size ? world.state.root : null),
      },
      pullDirectory: async () => {},
    },
    ports: { clock, random },
    group: world.state.everyone,
    api: {
      requests: async () => {
        looks += 1;
        return shown;
      },
    },
    requests: await OwnRequests.open({ primitives: counting, random, keyStore, signer: alice.signer }),
    decisions: await AccessDecisions.open(keyStore),
    epochs: { lacking: () => [], statementOf: () => null, keyOf: async () => null },
    now: () => clock.now(),
    isChanged: () => false,
    isOnline: () => isOnline,
    reread: async () => {},
    tell: () => {},
  } as unknown as AccessOptions);
  const hint = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      access.wake();
      await settled();
      await settled();
    }
  };
  await hint(100);
  expect(looks).toBe(61);
  // What is asked meanwhile is seen at the next look.
  shown.push(ask(dave).wire);
  await hint(10);
  expect(looks).toBe(61);
  for (let second = 0; second < 50; second += 1) {
    clock.advance(1_000);
    await hint(3);
  }
  expect(looks).toBe(86);
  expect(verifications()).toBe(2);
  // What the relay shows no more is not remembered, however much it has shown.
  shown.length = 0;
  clock.advance(60_000);
  await hint(2);
  shown.push(first);
  clock.advance(60_000);
  await hint(2);
  expect(verifications()).toBe(3);
  // What has yet to catch up knows neither what it lacks nor what it may give.
  isOnline = false;
  const before = looks;
  clock.advance(60_000);
  await hint(2);
  await expect(access.refresh()).rejects.toMatchObject({ code: 'offline' });
  expect(looks).toBe(before);
  await access.stop();
});
