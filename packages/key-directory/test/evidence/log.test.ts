import { encodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  encodeForkProof,
  encodeEntryWire,
  proveConsistency,
  replay,
  treeRoot,
  verifyForkProof,
  type LogCheckpoint,
  type LogFork,
} from '@keytide/key-directory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forkProofBytes } from '../../src/evidence/fork-proof.ts';
import { codeFrom, forge } from '../forge.ts';
import {
  admin,
  adminKey,
  checkpointAt,
  FORK_AT,
  noteBy,
  origin,
  outsider,
  outsiderKey,
  relay,
  relayKey,
  tilesOf,
  wires,
  world,
} from './case.ts';

const code = (proof: LogFork): string | null =>
  codeFrom(() => verifyForkProof(primitives, forkProofBytes(primitives, proof)));

/** A member makes themselves admin, after the first `index` entries. */
function usurped(index: number): Uint8Array {
  const state = replay(primitives, wires.slice(0, index));
  const body = { kind: 'role' as const, member: world.members[2]?.id as never, role: 'admin' as const };
  const place = { index, previousHash: state.headHash, timeMs: state.timeMs };
  return forge(world, world.members[2]?.devices[0] as never, body, place);
}

/** A signed checkpoint of a log with a bad entry at `index`, and anything after it. */
async function refused(index: number, bad: Uint8Array, ...keys: LogFork['keys']): Promise<LogFork> {
  const list = [...wires.slice(0, index), bad, ...wires.slice(index, index + 3)];
  const store = tilesOf(list);
  const root = await treeRoot(primitives, store, list.length);
  const checkpoint = { origin, size: list.length, root, mapRoot: new Uint8Array(32).fill(3) };
  const signers = keys.map((key) => (key === relayKey ? relay : key === adminKey ? admin : outsider));
  return {
    kind: 'log',
    keys,
    note: noteBy(checkpoint, ...signers),
    wires: list.slice(0, index + 1),
    consistency: await proveConsistency(primitives, store, index + 1, list.length),
  };
}

/** A signed checkpoint of the honest log with another map. */
function wrongMap(other: Partial<LogCheckpoint> = {}): LogFork {
  const checkpoint = { ...checkpointAt(wires, wires.length), mapRoot: new Uint8Array(32), ...other };
  const note = noteBy(checkpoint, relay, admin);
  return { kind: 'log', keys: [relayKey, adminKey], note, wires, consistency: [] };
}

describe('a signed checkpoint over an entry that the rules refuse', () => {
  const index = FORK_AT;

  test('proves it against the log and every device that signed, and no witness from outside', async () => {
    const proof = await refused(index, usurped(index), relayKey, adminKey, outsiderKey);
    expect(verifyForkProof(primitives, encodeForkProof(primitives, proof))).toEqual({
      claim: 'refused-entry',
      origin,
      against: [relayKey, adminKey],
      signers: [
        [relayKey, adminKey, outsiderKey],
        [relayKey, adminKey, outsiderKey],
      ],
      refused: { index, code: 'not-permitted' },
    });
    expect(code(await refused(index, usurped(index), outsiderKey))).toBe('bad-proof');
  });

  test('also if it is the first entry', async () => {
    const proof = await refused(0, usurped(3), relayKey, adminKey);
    const verdict = verifyForkProof(primitives, forkProofBytes(primitives, proof));
    expect([verdict.against, verdict.refused]).toEqual([[relayKey], { index: 0, code: 'wrong-predecessor' }]);
  });

  test('but not if a newer build may know it', async () => {
    const device = world.members[0].devices[0].id;
    const future = encodeEntryWire(encodeCbor([9]), [{ device, signature: new Uint8Array(64) }]);
    expect(code(await refused(index, future, relayKey))).toBe('unsupported-version');
    const nonsense = Uint8Array.of(0);
    expect(code(await refused(index, nonsense, relayKey))).toBe(null);
  });
});

describe('a signed checkpoint with a wrong map', () => {
  test('proves it against the log and the devices', () => {
    const verdict = verifyForkProof(primitives, encodeForkProof(primitives, wrongMap()));
    expect(verdict).toMatchObject({ claim: 'wrong-map', against: [relayKey, adminKey], refused: null });
  });
});

describe('nothing is proved by', () => {
  test('a log and a map in order', () => {
    const { mapRoot } = checkpointAt(wires, wires.length);
    expect(code(wrongMap({ mapRoot }))).toBe('bad-proof');
    expect(code(wrongMap({ mapRoot: null }))).toBe('bad-proof');
  });

  test('a part of the log, whose map is another', async () => {
    const size = wires.length - 2;
    const consistency = await proveConsistency(primitives, tilesOf(wires), size, wires.length);
    expect(code({ ...wrongMap(), wires: wires.slice(0, size), consistency })).toBe('bad-proof');
  });

  test('entries that the checkpoint does not cover', async () => {
    const proof = await refused(8, usurped(8), relayKey);
    expect(code({ ...proof, wires: [...wires.slice(0, 8), usurped(8), usurped(8)] })).toBe('bad-proof');
    expect(code({ ...proof, note: noteBy(checkpointAt(wires, wires.length), relay) })).toBe('bad-proof');
    expect(code({ ...proof, consistency: [] })).toBe('bad-proof');
  });

  test('an entry before the last that is refused: the first one counts', async () => {
    const proof = await refused(8, usurped(8), relayKey);
    const list = [...wires.slice(0, 8), usurped(8), wires[8] as Uint8Array];
    const store = tilesOf([...wires.slice(0, 8), usurped(8), ...wires.slice(8, 11)]);
    const consistency = await proveConsistency(primitives, store, 10, 12);
    expect(code({ ...proof, wires: list, consistency })).toBe('bad-proof');
  });

  test('the log of another organisation, or of no organisation', async () => {
    for (const foreign of [`keytide-log/v1/${'00'.repeat(32)}`, 'example.com/log']) {
      const key = { ...relayKey, name: foreign };
      const note = noteBy(
        { ...checkpointAt(wires, wires.length), mapRoot: new Uint8Array(32), origin: foreign },
        relay,
      );
      expect(code({ ...wrongMap(), note, keys: [key] })).toBe('bad-proof');
    }
    const store = tilesOf([usurped(3)]);
    const root = await treeRoot(primitives, store, 1);
    const note = noteBy({ origin: 'example.com/log', size: 1, root, mapRoot: null }, relay);
    const key = { ...relayKey, name: 'example.com/log' };
    expect(code({ kind: 'log', keys: [key], note, wires: [usurped(3)], consistency: [] })).toBe('bad-proof');
  });

  test('a witness from outside who is called a device', () => {
    const checkpoint = { ...checkpointAt(wires, wires.length), mapRoot: new Uint8Array(32) };
    const note = noteBy(checkpoint, outsider);
    expect(code({ ...wrongMap(), note, keys: [outsiderKey] })).toBe('bad-proof');
  });

  test('a key that signed nothing', () => {
    expect(code({ ...wrongMap(), keys: [relayKey, adminKey, outsiderKey] })).toBe('bad-proof');
  });

  test('any cut of an honest log under honest checkpoints', async () => {
    const store = tilesOf(wires);
    const size = fc.integer({ min: 1, max: wires.length });
    const signers = fc.subarray([relay, admin], { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(size, size, size, signers, async (cut, older, newer, by) => {
        const keys = by.map((signer) => (signer === relay ? relayKey : adminKey));
        const [low, high] = [Math.min(older, newer), Math.max(older, newer)];
        const proof: LogFork = {
          kind: 'log',
          keys,
          note: noteBy(checkpointAt(wires, high), ...by),
          wires: wires.slice(0, cut),
          consistency: await proveConsistency(primitives, store, cut <= high ? cut : low, high),
        };
        expect(code(proof)).toBe('bad-proof');
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});
