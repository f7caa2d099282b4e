import { expect, test } from 'vitest';
import { browserPrimitives, browserRandom } from '@keytide/crypto-core/browser';
import { nodeRandom } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { providers } from './providers.ts';

test('randomness of a browser comes in every size, also above what it gives at once', () => {
  for (const size of [0, 1, 32, 65_536, 65_537, 200_000]) {
    const bytes = browserRandom(size);
    expect(bytes).toHaveLength(size);
    const last = bytes.subarray(-32);
    expect(size < 32 || last.some((byte) => byte !== 0)).toBe(true);
  }
  expect(browserRandom(32)).not.toEqual(browserRandom(32));
});

test.each([
  ['node', nodeRandom],
  ['browser', browserRandom],
])('%s: what is no number of bytes is refused, and spoils nothing that is drawn later', (_, random) => {
  random(256);
  for (const size of [-64, -1, 0.5, Number.NaN, Infinity, undefined as never, '32' as never])
    expect(codeOf(() => random(size))).toBe('malformed');
  const bytes = random(64);
  expect(bytes).toHaveLength(64);
  expect(bytes.some((byte) => byte !== 0)).toBe(true);
  expect(random(64)).not.toEqual(bytes);
});

test('libsodium draws for itself where it is given no randomness', async () => {
  const primitives = await browserPrimitives();
  const { publicKey, decapsulate } = primitives.decapsulator(new Uint8Array(32).fill(1));
  const [one, two] = [1, 2].map(() => primitives.encapsulator(publicKey).encapsulate());
  expect(one?.ciphertext).not.toEqual(two?.ciphertext);
  expect(decapsulate(one?.ciphertext ?? publicKey)).toEqual(one?.sharedSecret);
});

test('the implementations say which they are', () => {
  expect(providers.map(({ primitives }) => primitives.name)).toEqual([
    'node',
    'portable',
    'libsodium',
    'libsodium',
  ]);
});
