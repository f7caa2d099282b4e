import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { keyRing, localKeyWrapper, type KeyWrapper } from '@keytide/server-relay';
import { keyWrapperConformance } from '@keytide/testkit';
import { describe, expect, it, test } from 'vitest';

const key = random(32);
const local = (bytes = random(32)): KeyWrapper => localKeyWrapper(primitives, random, bytes);

keyWrapperConformance('key file', async () => local(key), { describe, it });
keyWrapperConformance('ring', async () => keyRing(local(key), local()), { describe, it });

test('a ring wraps with its first key and opens what any of them wrapped', async () => {
  const [current, former] = [local(), local()];
  const ring = keyRing(current, former);
  const [dataKey, context] = [random(32), random(9)];
  const old = await former.wrap(dataKey, context);
  expect(ring.unwraps(former.keyName)).toBe(true);
  expect(await ring.unwrap(former.keyName, old, context)).toEqual(dataKey);
  expect(await current.unwrap(ring.keyName, await ring.wrap(dataKey, context), context)).toEqual(dataKey);
});
