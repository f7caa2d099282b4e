import { encodeCbor, type CborValue } from '@keytide/crypto-core';
import { assertSameHistory, checkpointOf, replay, verifyCheckpoint } from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { codeFrom, errorFrom, forge } from './forge.ts';
import { eventfulWorld } from './history.ts';

const { primitives, wires } = eventfulWorld('checkpoint');
const at = (size: number): ReturnType<typeof checkpointOf> =>
  checkpointOf(replay(primitives, wires.slice(0, size)));

/** The same log up to its last entry, and another, equally valid one there. */
const twin = eventfulWorld('checkpoint');
const lastWire = twin.wires.length - 1;
const forked = ((): Uint8Array[] => {
  const past = replay(primitives, wires.slice(0, lastWire));
  const role = { kind: 'role' as const, member: twin.members[2]?.id as never, role: 'exporter' as const };
  const place = { index: past.size, previousHash: past.headHash };
  return [...wires.slice(0, lastWire), forge(twin, twin.members[0].devices[0], role, place)];
})();

describe('a checkpoint', () => {
  test('of the log itself is met at every size, also from the middle', () => {
    const before = replay(primitives, wires.slice(0, 3)).tree;
    for (let size = 1; size <= wires.length; size += 1) {
      const stretch = size < 3 ? { wires } : { before, wires: wires.slice(3) };
      expect(codeFrom(() => verifyCheckpoint(primitives, { wires }, at(size)))).toBe(null);
      expect(codeFrom(() => verifyCheckpoint(primitives, stretch, at(size)))).toBe(null);
    }
  });

  test('beyond the end shows a rollback, with both sides as evidence', () => {
    const checkpoint = at(wires.length);
    const short = wires.slice(0, -1);
    const error = errorFrom(() => verifyCheckpoint(primitives, { wires: short }, checkpoint));
    expect(error.code).toBe('rolled-back');
    const { size, root } = checkpoint;
    expect(error.evidence).toEqual([encodeCbor([1, size, root] as CborValue), short.at(-1)]);
  });

  test('of another log shows a fork, though both logs keep all rules', () => {
    expect(replay(primitives, forked).size).toBe(wires.length);
    const source = new Uint8Array([1, 2, 3]);
    const error = errorFrom(() => verifyCheckpoint(primitives, { wires: forked }, at(wires.length), source));
    expect(error.code).toBe('forked');
    expect(error.evidence).toEqual([source, forked.at(-1)]);
  });

  test('that the stretch does not reach back to cannot be checked', () => {
    const { tree } = replay(primitives, wires.slice(0, 3));
    const stretch = { before: tree, wires: wires.slice(3) };
    expect(codeFrom(() => verifyCheckpoint(primitives, stretch, at(2)))).toBe('malformed');
    const nothing = { size: 0, root: new Uint8Array(32) };
    expect(codeFrom(() => verifyCheckpoint(primitives, { wires }, nothing))).toBe('malformed');
  });
});

describe('two copies of a log', () => {
  test('may differ in length', () => {
    expect(codeFrom(() => assertSameHistory(wires, wires.slice(0, 2)))).toBe(null);
    expect(codeFrom(() => assertSameHistory(wires.slice(0, 2), wires))).toBe(null);
  });

  test('that differ anywhere are a fork, and the two entries prove it', () => {
    const error = errorFrom(() => assertSameHistory(wires, forked));
    expect(error.code).toBe('forked');
    expect(error.evidence).toEqual([wires.at(-1), forked.at(-1)]);
  });
});
