import { concatBytes, deviceIdOf, leafHash, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  deviceKey,
  parseDeviceHead,
  parseEntryBundle,
  parseForkProof,
  parseNote,
  parseNoteKey,
  verifyConsistency,
  verifyForkProof,
  verifyInclusion,
  verifyLookup,
  verifyNote,
} from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { BOB, state, wires } from './spec-log.ts';
import { specBlock, specExample } from './spec-page.ts';
import { checkpoint, examples, texts } from './spec-transparency.ts';

const example = (name: string): Uint8Array => specExample('transparency', name);
const hashesOf = (name: string): Uint8Array[] => {
  const joined = example(name);
  return Array.from({ length: joined.length / 32 }, (_, i) => joined.slice(32 * i, 32 * i + 32));
};

describe('docs/spec/transparency.md', () => {
  test.each(Object.entries(examples))('the example %s is made from the seeds', (name, made) => {
    expect(toHex(made instanceof Uint8Array ? made : concatBytes(...made))).toBe(toHex(example(name)));
  });

  test.each(Object.entries(texts))('the text %s is made from the seeds', (name, made) => {
    expect(`${specBlock('transparency', `text ${name}`)}\n`).toBe(made);
  });

  test('the proofs hold', () => {
    const { root, size } = state;
    const leaf = leafHash(primitives, wires.join);
    verifyInclusion(primitives, { leaf, index: 2, size, root }, hashesOf('inclusion'));
    const [first, second, third] = hashesOf('tile') as [Uint8Array, Uint8Array, Uint8Array];
    const node = (left: Uint8Array, right: Uint8Array): Uint8Array =>
      primitives.sha256(concatBytes(Uint8Array.of(1), left, right));
    const older = { size: 3, root: node(node(first, second), third) };
    verifyConsistency(primitives, older, state, hashesOf('consistency'));
    expect(parseEntryBundle(example('bundle'), 2)).toEqual([Uint8Array.of(0xaa), Uint8Array.of(0xbb, 0xbb)]);
  });

  test('the lookup finds the head', () => {
    const device = deviceIdOf(primitives, primitives.signer(new Uint8Array(32).fill(3)).publicKey);
    const key = deviceKey(primitives, device);
    const head = verifyLookup(primitives, example('map-root'), key, example('lookup')) as Uint8Array;
    expect(toHex(head)).toBe(toHex(example('device-head')));
    expect(parseDeviceHead(head)).toMatchObject({ member: BOB, role: 'exporter', addedAt: 2, since: 3 });
  });

  test('the note is signed by the two keys, and the evidence accuses the first', () => {
    const keys = specBlock('transparency', 'text keys')
      .split('\n')
      .map((text) => parseNoteKey(primitives, text));
    const note = parseNote(new TextEncoder().encode(`${specBlock('transparency', 'text note')}\n`));
    expect(verifyNote(primitives, note, keys).verified.map(({ key }) => key)).toEqual(keys);
    const verdict = verifyForkProof(primitives, example('fork-proof'));
    expect(verdict).toMatchObject({ claim: 'forked', origin: checkpoint.origin, against: keys.slice(0, 1) });
    expect(parseForkProof(primitives, example('fork-proof')).kind).toBe('checkpoints');
  });
});
