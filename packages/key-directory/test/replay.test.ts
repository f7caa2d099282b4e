import { rootOf, type Primitives } from '@keytide/crypto-core';
import { applyEntry, parseEntry, replay, type DirectoryState } from '@keytide/key-directory';
import { seededRandom, seededWorld } from '@keytide/testkit';
import { describe, expect, test, vi } from 'vitest';
import { IdMap } from '../src/id-map.ts';
import { codeFrom, digest } from './forge.ts';
import { everyKindWorld } from './history.ts';

const world = everyKindWorld('replay');
const { primitives, wires } = world;

/** The state before each entry. */
const before: (DirectoryState | null)[] = [null];
for (const wire of wires) before.push(applyEntry(primitives, before.at(-1) ?? null, wire));

test('the history has every kind of entry', () => {
  const kinds = new Set(wires.map((wire) => parseEntry(primitives, wire).body.kind));
  expect(kinds.size).toBe(14);
});

describe('replay', () => {
  test('in one go, step by step and in two parts give the same state', () => {
    const whole = digest(replay(primitives, wires));
    expect(digest(before.at(-1) as DirectoryState)).toBe(whole);
    for (let cut = 1; cut < wires.length; cut += 1) {
      const first = replay(primitives, wires.slice(0, cut));
      expect(digest(first)).toBe(digest(before[cut] as DirectoryState));
      expect(digest(replay(primitives, wires.slice(cut), first))).toBe(whole);
    }
  });

  test('the root is that of the Merkle tree', () => {
    const state = replay(primitives, wires);
    expect(state.tree.size).toBe(wires.length);
    expect(rootOf(primitives, state.tree)).toEqual(state.root);
  });

  test('no entries continue a state as it is, and are none without one', () => {
    const state = replay(primitives, wires);
    expect(digest(replay(primitives, [], state))).toBe(digest(state));
    expect(codeFrom(() => replay(primitives, []))).toBe('malformed');
  });

  test('an entry that is left out, swapped with the next or told twice is refused', () => {
    for (let i = 0; i < wires.length - 1; i += 1) {
      const at = wires[i] as Uint8Array;
      const next = wires[i + 1] as Uint8Array;
      for (const [name, middle] of [
        ['left out', [next]],
        ['swapped', [next, at]],
        ['twice', [at, at, next]],
      ] as const) {
        const log = [...wires.slice(0, i), ...middle, ...wires.slice(i + 2)];
        expect(
          codeFrom(() => replay(primitives, log)),
          `entry ${i} ${name}`,
        ).toBe('wrong-predecessor');
      }
    }
  });

  test('a refused entry leaves no trace in the state it was to continue', () => {
    const from = before[4] as DirectoryState;
    const kept = digest(from);
    const bad = [...wires.slice(4, -1), wires[0] as Uint8Array];
    expect(codeFrom(() => replay(primitives, bad, from))).toBe('wrong-predecessor');
    expect(digest(from)).toBe(kept);
  });
});

test('any flipped bit in any byte of any entry is refused, and changes nothing', () => {
  const random = seededRandom('flipped bits');
  const kept = before.map((state) => state && digest(state));
  const harmless: string[] = [];
  for (const [index, wire] of wires.entries()) {
    const bits = random(wire.length);
    for (let at = 0; at < wire.length; at += 1) {
      const bit = 1 << ((bits[at] as number) & 7);
      const altered = wire.with(at, (wire[at] as number) ^ bit);
      const code = codeFrom(() => applyEntry(primitives, before[index] ?? null, altered));
      if (code === null) harmless.push(`entry ${index}: bit ${bit} of byte ${at}`);
    }
  }
  expect(harmless).toEqual([]);
  expect(before.map((state) => state && digest(state))).toEqual(kept);
});

describe('the cost of a replay', () => {
  /** How many records are written, and how often something is hashed. */
  function costOf(members: number): { writes: number; hashes: number } {
    const large = seededWorld({ seed: 'large', members });
    let hashes = 0;
    const counting: Primitives = {
      ...primitives,
      sha256(data) {
        hashes += 1;
        return primitives.sha256(data);
      },
    };
    const write = vi.spyOn(IdMap.prototype, 'with');
    try {
      replay(counting, large.wires);
      return { writes: write.mock.calls.length, hashes };
    } finally {
      write.mockRestore();
    }
  }

  test('grows with the log: each record is written once', () => {
    // The genesis writes a member and a device; each invite itself; each join a member, a device, the invite.
    const small = costOf(50);
    const large = costOf(200);
    expect(small.writes).toBe(2 + 4 * 49);
    expect(large.writes).toBe(2 + 4 * 199);
    expect(large.hashes / small.hashes).toBeLessThan(4.1);
  });
});
