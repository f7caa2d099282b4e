import { leafHash, nodeHash, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  deviceNoteKey,
  parseNote,
  verifyConsistency,
  verifyInclusion,
  witnessesOf,
  type LogCheckpoint,
  type NoteKey,
  type NoteSignature,
} from '@keytide/key-directory';
import { expect, test } from 'vitest';

const NOW = 1_900_000_000;
const DAY = 86_400;
const LEAVES = ['a', 'b', 'c'].map((text) => leafHash(primitives, new TextEncoder().encode(text)));
const [A, B, C] = LEAVES as [Uint8Array, Uint8Array, Uint8Array];
const AB = nodeHash(primitives, A, B);
/** The tree of three leaves: its left half is A and B. */
const ROOT = nodeHash(primitives, AB, C);
const EMPTY_ROOT = primitives.sha256(new Uint8Array(0));

/** What verifiers of proofs and counters of witnesses got wrong: the library alone, as a client calls it. */
export function knownProofBreaks(): void {
  const included = (leaf: Uint8Array, index: number, size: number, proof: Uint8Array[], root = ROOT) =>
    codeOf(() => verifyInclusion(primitives, { leaf, index, size, root }, proof));
  const grown = (from: [number, Uint8Array], to: [number, Uint8Array], proof: Uint8Array[]) =>
    codeOf(() =>
      verifyConsistency(primitives, { size: from[0], root: from[1] }, { size: to[0], root: to[1] }, proof),
    );

  // RFC 9162, 2.1.3.2, step 1: an index that is not below the size fails before anything is hashed.
  test('an inclusion proof for index = size', () => {
    expect(included(C, 2, 3, [AB])).toBe(null);
    expect(included(C, 3, 3, [AB])).toBe('bad-proof');
    expect(included(C, 4, 3, [AB])).toBe('bad-proof');
    expect(included(C, -1, 3, [AB])).toBe('bad-proof');
    expect(included(C, 2 ** 53, 2 ** 53, [AB])).toBe('bad-proof');
  });

  // RFC 9162, 2.1.1: the empty tree has a root and no leaves.
  test('an inclusion proof in a tree of size 0', () => {
    expect(included(A, 0, 0, [], EMPTY_ROOT)).toBe('bad-proof');
    expect(included(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)).toBe('bad-proof');
    expect(included(A, 0, 1, [], A)).toBe(null);
  });

  // RFC 9162, 2.1.4.2: a proof from size 0 is of every tree, so it shows nothing; one of equal sizes is empty.
  test('a consistency proof from size 0, or between equal sizes', () => {
    expect(grown([2, AB], [3, ROOT], [C])).toBe(null);
    expect(grown([0, EMPTY_ROOT], [3, ROOT], [])).toBe('bad-proof');
    expect(grown([0, ROOT], [3, ROOT], [ROOT])).toBe('bad-proof');
    expect(grown([0, A], [1, A], [A])).toBe('bad-proof');
    expect(grown([3, ROOT], [3, ROOT], [])).toBe(null);
    expect(grown([3, ROOT], [3, ROOT], [C])).toBe('bad-proof');
    expect(grown([3, AB], [3, ROOT], [])).toBe('bad-proof');
    expect(grown([3, ROOT], [2, AB], [C])).toBe('bad-proof');
  });

  // RFC 9162, 2.1.3.2 and 2.1.4.2, the last steps: hashes that are left over, or that are missing, fail.
  test('a proof with a hash too many or too few', () => {
    expect(included(C, 2, 3, [])).toBe('bad-proof');
    expect(included(C, 2, 3, [AB, AB])).toBe('bad-proof');
    expect(included(C, 2, 3, [AB.slice(1)])).toBe('bad-proof');
    // With a root to match, so that nothing but the length is wrong.
    expect(included(C, 2, 3, [], C)).toBe('bad-proof');
    expect(included(A, 0, 1, [B], nodeHash(primitives, B, A))).toBe('bad-proof');
    expect(grown([2, AB], [3, ROOT], [])).toBe('bad-proof');
    expect(grown([2, AB], [3, ROOT], [C, C])).toBe('bad-proof');
    expect(grown([2, ROOT], [3, ROOT], [])).toBe('bad-proof');
  });

  // RFC 6962, 2.1: leaves and nodes are hashed apart, or a node passes for a leaf (a second preimage).
  test('a node is taken for a leaf', () => {
    const asEntry = new Uint8Array([...A, ...B]);
    expect(leafHash(primitives, asEntry)).not.toEqual(AB);
    expect(included(leafHash(primitives, asEntry), 0, 2, [C])).toBe('bad-proof');
  });

  const keys = [1, 2, 3].map((seed) => deviceKey(seed));
  const counted = (signatures: NoteSignature[], other: { keys?: NoteKey[]; nowSeconds?: number } = {}) => {
    const note = parseNote(assembleNote(checkpointText(CHECKPOINT), signatures));
    const policy = { keys: other.keys ?? keys, threshold: 2, maxAgeSeconds: DAY };
    const { cosigned, isMet } = witnessesOf(primitives, note, policy, other.nowSeconds ?? NOW);
    return [cosigned.length, isMet];
  };

  // The Update Framework, CVE-2020-6174, and tough, CVE-2020-15093: a signature that was repeated counted towards
  // the threshold as often as it was there.
  test('a duplicate witness counted twice', () => {
    expect(counted([by(1), by(2)])).toEqual([2, true]);
    expect(counted([by(1), by(1)])).toEqual([1, false]);
    expect(counted([by(1), by(1, NOW - 60), by(1, NOW - 120)])).toEqual([1, false]);
    // The same key, told twice to the reader.
    expect(counted([by(1), by(1)], { keys: [deviceKey(1), deviceKey(1)] })).toEqual([1, false]);
    // And under a second name.
    const alias: NoteKey = { ...deviceKey(1), name: 'somebody-else' };
    const aliased = aliasOf(alias, by(1));
    expect(counted([by(1), aliased], { keys: [...keys, alias] })).toEqual([1, false]);
  });

  // The Update Framework: freeze attack (TUF specification, 1.5.2): what was true once is shown for ever.
  test('an old checkpoint after the maximum age', () => {
    expect(counted([by(1, NOW - DAY), by(2, NOW - DAY)])).toEqual([2, true]);
    expect(counted([by(1, NOW - DAY - 1), by(2, NOW - DAY)])).toEqual([1, false]);
    expect(counted([by(1), by(2)], { nowSeconds: NOW + DAY + 1 })).toEqual([0, false]);
    // Nor can a witness cosign for the years to come.
    expect(counted([by(1, NOW + 2 * DAY), by(2)])).toEqual([1, false]);
  });
}

const CHECKPOINT: LogCheckpoint = {
  origin: `keytide-log/v1/${'ab'.repeat(32)}`,
  size: 3,
  root: ROOT,
  mapRoot: ROOT,
};

function signerOf(seed: number): Signer {
  return primitives.signer(new Uint8Array(32).fill(seed));
}

function deviceKey(seed: number): NoteKey {
  return deviceNoteKey(primitives, signerOf(seed).publicKey);
}

function by(seed: number, timeSeconds = NOW): NoteSignature {
  return cosignature(primitives, signerOf(seed), CHECKPOINT, timeSeconds);
}

/** The same signature under another name of the key: what is signed does not say who signed. */
function aliasOf({ name, publicKey }: NoteKey, made: NoteSignature): NoteSignature {
  const named = new TextEncoder().encode(`${name}\n`);
  const hash = primitives.sha256(new Uint8Array([...named, 4, ...publicKey]));
  return { ...made, name, keyId: new DataView(hash.buffer, hash.byteOffset).getUint32(0) };
}

function codeOf(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
