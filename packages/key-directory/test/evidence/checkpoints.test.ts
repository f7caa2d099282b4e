import { asciiBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  encodeForkProof,
  MAX_FORK_PROOF_BYTES,
  parseForkProof,
  proveConsistency,
  proveFork,
  treeRoot,
  verifyForkProof,
  type CheckpointFork,
  type ForkVerdict,
  type LogCheckpoint,
  type NoteKey,
} from '@keytide/key-directory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forkProofBytes } from '../../src/evidence/fork-proof.ts';
import { keyIdOf } from '../../src/note/key.ts';
import { codeFrom } from '../forge.ts';
import {
  admin,
  adminKey,
  checkpointAt,
  FORK_AT,
  noteBy,
  origin,
  otherWires,
  outsider,
  outsiderKey,
  relay,
  relayKey,
  tilesOf,
  wires,
} from './case.ts';

const honest = tilesOf(wires);
const other = tilesOf(otherWires);
const keys = [relayKey, adminKey, outsiderKey];
const code = (proof: CheckpointFork): string | null =>
  codeFrom(() => verifyForkProof(primitives, forkProofBytes(primitives, proof)));

/** Two notes of one size, from both logs. */
function oneSize(size = wires.length): CheckpointFork {
  const first = noteBy(checkpointAt(wires, size), relay, admin, outsider);
  const second = noteBy(checkpointAt(otherWires, size), relay, admin);
  return { kind: 'checkpoints', keys, first, second, olderRoot: null, consistency: [] };
}

/** A note of the honest log and a later one of the other log. */
async function twoSizes(older = FORK_AT + 1, newer = otherWires.length): Promise<CheckpointFork> {
  return {
    kind: 'checkpoints',
    keys: [relayKey, adminKey],
    first: noteBy(checkpointAt(wires, older), relay),
    second: noteBy(checkpointAt(otherWires, newer), relay, admin),
    olderRoot: await treeRoot(primitives, other, older),
    consistency: await proveConsistency(primitives, other, older, newer),
  };
}

describe('two checkpoints that contradict', () => {
  test('of one size prove a fork against whoever signed both', () => {
    const verdict = verifyForkProof(primitives, encodeForkProof(primitives, oneSize()));
    expect(verdict).toEqual({
      claim: 'forked',
      origin,
      against: [relayKey, adminKey],
      signers: [
        [relayKey, adminKey, outsiderKey],
        [relayKey, adminKey],
      ],
      refused: null,
    });
  });

  test('of different sizes prove it too, with the tiles of the later one', async () => {
    for (let older = FORK_AT + 1; older < wires.length; older += 1) {
      const notes = {
        older: noteBy(checkpointAt(wires, older), relay),
        newer: noteBy(checkpointAt(otherWires, otherWires.length), relay, admin),
      };
      const file = await proveFork(primitives, other, notes, [relayKey, adminKey]);
      expect(file.length).toBeLessThan(2500);
      expect(verifyForkProof(primitives, file)).toMatchObject({ claim: 'forked', against: [relayKey] });
    }
    const { older, newer } = { older: oneSize().first, newer: oneSize().second };
    expect(
      verifyForkProof(primitives, await proveFork(primitives, other, { older, newer }, keys)).claim,
    ).toBe('forked');
  });

  test('that nobody signed both of accuse nobody', () => {
    const first = noteBy(checkpointAt(wires, wires.length), admin);
    const second = noteBy(checkpointAt(otherWires, wires.length), outsider);
    const proof = { ...oneSize(), first, second, keys: [adminKey, outsiderKey] };
    const verdict = verifyForkProof(primitives, encodeForkProof(primitives, proof));
    expect([verdict.against, verdict.signers]).toEqual([[], [[adminKey], [outsiderKey]]]);
  });
});

describe('no fork is proved by', () => {
  const at = (size: number): LogCheckpoint => checkpointAt(wires, size);

  test('one checkpoint twice, or two of one log', async () => {
    const proof = oneSize();
    expect(code({ ...proof, second: proof.first })).toBe('bad-proof');
    const notes = { older: noteBy(at(5), relay), newer: noteBy(at(9), relay) };
    await expect(proveFork(primitives, honest, notes, [relayKey])).rejects.toMatchObject({
      code: 'bad-proof',
    });
  });

  test('another map for one root: a witness from outside does not answer for it', () => {
    const first = noteBy(at(9), relay, outsider);
    const second = noteBy({ ...at(9), mapRoot: new Uint8Array(32) }, relay, outsider);
    expect(code({ ...oneSize(), first, second, keys: [relayKey, outsiderKey] })).toBe('bad-proof');
  });

  test('another map that the log signed itself is no agreement; one map beside none is', async () => {
    const proof = { ...oneSize(), first: noteBy(at(9), relay, admin), keys: [relayKey] };
    const second = noteBy({ ...at(9), mapRoot: new Uint8Array(32) }, relay, admin);
    const file = forkProofBytes(primitives, { ...proof, second });
    expect(verifyForkProof(primitives, file)).toMatchObject({ claim: 'forked', against: [relayKey] });
    expect(code({ ...proof, second, keys: [relayKey, adminKey] })).toBe('bad-proof');
    expect(code({ ...proof, second: noteBy({ ...at(9), mapRoot: null }, relay) })).toBe('bad-proof');
    expect(code({ ...proof, second: noteBy(at(9), relay) })).toBe('bad-proof');
    const consistency = await proveConsistency(primitives, honest, 8, 9);
    const later = { ...proof, second: noteBy({ ...at(9), mapRoot: new Uint8Array(32) }, relay) };
    expect(code({ ...later, first: noteBy(at(8), relay), olderRoot: at(8).root, consistency })).toBe(
      'bad-proof',
    );
  });

  test('checkpoints of two logs', () => {
    const second = { ...checkpointAt(otherWires, wires.length), origin: 'example.com/log' };
    expect(code({ ...oneSize(), second: noteBy(second, admin), keys: [adminKey] })).toBe('bad-proof');
  });

  test('checkpoints of the empty log', () => {
    const empty = { ...at(1), size: 0 };
    const first = noteBy({ ...empty, root: new Uint8Array(32) }, relay);
    expect(code({ ...oneSize(), first, second: noteBy(empty, relay), keys: [relayKey] })).toBe('bad-proof');
    const later = noteBy(at(4), relay);
    const invented = { first, second: later, olderRoot: at(1).root, consistency: [] };
    expect(code({ ...oneSize(), ...invented, keys: [relayKey] })).toBe('bad-proof');
  });

  test('a root that does not follow from the later one', async () => {
    const proof = await twoSizes();
    expect(code(proof)).toBe(null);
    expect(code({ ...proof, olderRoot: new Uint8Array(32) })).toBe('bad-proof');
    expect(code({ ...proof, olderRoot: null })).toBe('bad-proof');
    expect(code({ ...proof, consistency: proof.consistency.slice(1) })).toBe('bad-proof');
    expect(code({ ...proof, first: proof.second, second: proof.first })).toBe('bad-proof');
    expect(code({ ...oneSize(), olderRoot: at(3).root })).toBe('bad-proof');
    expect(code({ ...oneSize(), consistency: [at(3).root] })).toBe('bad-proof');
  });

  test('notes that are not signed by the keys that are shown', () => {
    const proof = oneSize();
    expect(code({ ...proof, keys: [outsiderKey] })).toBe('bad-proof');
    const { text } = { text: checkpointText(at(9)) };
    const [signature] = [{ name: relayKey.name, keyId: 1, signature: new Uint8Array(64) }];
    expect(code({ ...proof, first: assembleNote(text, [signature]) })).toBe('bad-proof');
    const forged = proof.first.slice();
    forged[origin.length + 8] = (forged[origin.length + 8] as number) ^ 1;
    expect(code({ ...proof, first: forged })).toBe('bad-signature');
  });

  test('a key that signed nothing, one that is shown twice, or one that is neither log nor witness', () => {
    const proof = oneSize();
    const second = noteBy(checkpointAt(otherWires, wires.length), relay, admin);
    expect(code({ ...proof, first: noteBy(at(wires.length), relay, admin), second })).toBe('bad-proof');
    expect(code({ ...proof, keys: [...keys, relayKey] })).toBe('bad-proof');
    const alias: NoteKey = { ...relayKey, name: 'somebody-else' };
    const byAlias = (list: readonly Uint8Array[]): Uint8Array => {
      const text = checkpointText(checkpointAt(list, wires.length));
      const signature = relay.sign(asciiBytes(text));
      return assembleNote(text, [{ name: alias.name, keyId: keyIdOf(primitives, alias), signature }]);
    };
    const notes = { first: byAlias(wires), second: byAlias(otherWires) };
    expect(code({ ...proof, ...notes, keys: [alias] })).toBe('bad-proof');
  });

  test('a file that is too long, of another version, or of another form', () => {
    const file = forkProofBytes(primitives, oneSize());
    const read = (bytes: Uint8Array): string | null => codeFrom(() => parseForkProof(primitives, bytes));
    expect(read(new Uint8Array(MAX_FORK_PROOF_BYTES + 1))).toBe('too-large');
    expect(read(Uint8Array.of(...file, 0))).toBe('malformed');
    expect(read(Uint8Array.of(file[0] as number, 2, ...file.slice(2)))).toBe('unsupported-version');
    expect(read(Uint8Array.of(file[0] as number, 1, 3, ...file.slice(3)))).toBe('malformed');
    expect(code({ ...oneSize(), keys: [] })).toBe('malformed');
  });
});

describe('whatever is made of honest notes', () => {
  test('never verifies', async () => {
    const sizes = fc.integer({ min: 1, max: wires.length });
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const signers = fc.subarray([relay, admin, outsider], { minLength: 1 });
    const proofs = fc.record({
      a: sizes,
      b: sizes,
      first: signers,
      second: signers,
      shown: fc.subarray(keys, { minLength: 1 }),
      root: fc.oneof(fc.constant(null), sizes, hash),
      path: fc.oneof(
        fc.record({ kind: fc.constant('real' as const), a: sizes, b: sizes }),
        fc.record({ kind: fc.constant('invented' as const), hashes: fc.array(hash, { maxLength: 6 }) }),
      ),
      store: fc.constantFrom(honest, other),
    });
    await fc.assert(
      fc.asyncProperty(proofs, async ({ a, b, first, second, shown, root, path, store }) => {
        const proof: CheckpointFork = {
          kind: 'checkpoints',
          keys: shown,
          first: noteBy(checkpointAt(wires, a), ...first),
          second: noteBy(checkpointAt(wires, b), ...second),
          olderRoot: typeof root === 'number' ? await treeRoot(primitives, store, root) : root,
          consistency:
            path.kind === 'invented'
              ? path.hashes
              : await proveConsistency(primitives, store, Math.min(path.a, path.b), Math.max(path.a, path.b)),
        };
        expect(code(proof)).not.toBe(null);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('and a changed byte of real evidence accuses nobody else, and of nothing else', async () => {
    const files = [oneSize(), await twoSizes()].map((proof) => forkProofBytes(primitives, proof));
    const accused = files.map((file) => verifyForkProof(primitives, file).against);
    fc.assert(
      fc.property(fc.nat(1), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, change) => {
        const altered = (files[which] as Uint8Array).slice();
        altered[at % altered.length] = (altered[at % altered.length] as number) ^ change;
        let verdict: ForkVerdict;
        try {
          verdict = verifyForkProof(primitives, altered);
        } catch {
          return;
        }
        expect([verdict.claim, verdict.origin]).toEqual(['forked', origin]);
        for (const key of verdict.against) expect(accused[which]).toContainEqual(key);
      }),
      { numRuns: 400, seed: 2 },
    );
  });
});
