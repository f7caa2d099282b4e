import { nodePrimitives } from '@keytide/crypto-core/node';
import { expect, test } from 'vitest';
import { groupWorld } from './group-world.ts';

test('whether an epoch is due is computed once for each log, not for each message', async () => {
  const { statement, secondEntry, makeRing } = await groupWorld();
  let hashes = 0;
  const primitives = {
    ...nodePrimitives,
    sha256(bytes: Uint8Array) {
      hashes += 1;
      return nodePrimitives.sha256(bytes);
    },
  };
  const { epochs, directory } = await makeRing(primitives);
  const verified = await epochs.verify(statement.bytes);
  await epochs.adopt(verified);
  const now = verified.blockStartMs;
  expect(epochs.needsRotation(now)).toBe(false);
  hashes = 0;
  for (let message = 0; message < 10; message += 1) expect(epochs.needsRotation(now)).toBe(false);
  expect(hashes).toBe(0);
  expect(epochs.needsRotation(verified.blockEndMs)).toBe(true);

  // An invite brings nobody in, and yet it is another log.
  await directory.append([secondEntry]);
  hashes = 0;
  expect(epochs.needsRotation(now)).toBe(false);
  expect(hashes).toBeGreaterThan(0);
});
