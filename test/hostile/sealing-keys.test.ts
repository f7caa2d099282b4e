import { concatBytes, idBytes, openBox, parseEpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { seededDevice, swapSealingKey } from '@keytide/testkit/hostile-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { burgle } from './loot.ts';
import { now } from './noon-ports.ts';
import { goesOn, hears, openStage, says, until, type Stage } from './stage.ts';

const HOUR_MS = 3_600_000;
const clock = leapingClock(now());
let stage: Stage;

beforeAll(async () => {
  stage = await openStage(clock);
});

afterAll(() => stage.close());

// Hofmann, Truong, "End-to-End Encrypted Cloud Storage in the Wild" (CCS 2024): public keys came from the server, and
// nobody had signed them.
test('the server supplies a sealing key', async () => {
  const { ada, bo } = await stage.pair(clock.ports());
  const { directory } = await burgle(ada);
  const { id: device, sealing } = [...directory.devices.values()].find(({ id }) => id === bo.client.device)!;
  const ghost = seededDevice(primitives, nodeRandom, clock.now());
  const opened: boolean[] = [];
  stage.hostile.attack({
    toRelay(frame) {
      if (frame.type !== 'announce') return [frame];
      const { hash } = parseEpochStatement(primitives, frame.statement);
      for (const { device: to, box } of frame.boxes)
        opened.push(
          opens(() => openBox(primitives, ghost.decapsulator, concatBytes(hash, idBytes(to)), box)),
        );
      return [frame];
    },
  });
  // In force as soon as the key in the log is not any more, and for as long as a key may be.
  const fromMs = sealing.notAfterMs;
  const untilMs = fromMs + 24 * HOUR_MS;
  let shown = 0;
  stage.hostile.attack({
    victim: ada.client.device,
    call: (call, forward) => {
      if (call.path.includes('/sealing-records?')) shown += 1;
      return forward(call);
    },
  });
  swapSealingKey(stage.hostile, ada.client.device, { primitives, device, ghost, fromMs, untilMs });
  const { epoch } = ada.client;
  clock.leap(25 * HOUR_MS);
  await until(() => ada.client.state.kind === 'online' && clock.now() > fromMs, 'ada to wake up');
  await says(ada, 'sealed to whom?');
  await hears(bo, 'sealed to whom?');
  expect(ada.client.epoch).toBeGreaterThan(epoch);
  expect(shown).toBeGreaterThan(0);
  expect(opened.length).toBeGreaterThan(1);
  expect(opened.every((isOpen) => !isOpen)).toBe(true);
  await goesOn(ada, bo);
});

function opens(open: () => Uint8Array): boolean {
  try {
    open();
    return true;
  } catch {
    return false;
  }
}
