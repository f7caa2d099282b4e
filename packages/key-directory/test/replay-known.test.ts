import type { Primitives } from '@keytide/crypto-core';
import { DirectoryError, replay, replayKnown } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { codeFrom, digest } from './forge.ts';
import { everyKindWorld } from './history.ts';

const { primitives, wires, state } = everyKindWorld('replay known');

/** As the real ones, but no key is imported. */
const keyless: Primitives = {
  ...primitives,
  verifier: () => {
    throw new Error('a signature was to be checked');
  },
  encapsulator: () => {
    throw new Error('a key was to be checked');
  },
};

test('a known log gives the state of a replay, in one go and in parts, and checks no key and no signature', () => {
  expect(digest(replayKnown(keyless, wires, state.root))).toBe(digest(state));
  for (let cut = 1; cut < wires.length; cut += 1) {
    const first = replay(primitives, wires.slice(0, cut));
    const known = replayKnown(keyless, wires.slice(0, cut), first.root);
    expect(digest(known)).toBe(digest(first));
    expect(digest(replayKnown(keyless, wires.slice(cut), state.root, known))).toBe(digest(state));
  }
});

test('a log with any byte altered is not the known one', () => {
  for (const [index, wire] of wires.entries()) {
    // The end of a wire is a signature, which nothing else would miss.
    for (const place of [0, wire.length >> 1, wire.length - 1]) {
      const altered = wire.slice();
      altered[place] = (altered[place] as number) ^ 1;
      expect(() => replayKnown(primitives, wires.with(index, altered), state.root)).toThrow(DirectoryError);
    }
  }
});

test('neither is one that is shorter, longer, or of another root', () => {
  const [last] = wires.slice(-1) as [Uint8Array];
  expect(codeFrom(() => replayKnown(primitives, wires.slice(0, -1), state.root))).toBe('bad-proof');
  expect(codeFrom(() => replayKnown(primitives, [...wires, last], state.root))).toBe('wrong-predecessor');
  expect(codeFrom(() => replayKnown(primitives, wires, new Uint8Array(32)))).toBe('bad-proof');
  expect(codeFrom(() => replayKnown(primitives, wires, new Uint8Array(0)))).toBe('bad-proof');
});
