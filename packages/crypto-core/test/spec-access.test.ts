import { describe, expect, test } from 'vitest';
import {
  createAccessRequest,
  MAX_ACCESS_ANSWER_BYTES,
  MAX_ACCESS_REQUEST_BYTES,
  openAccessAnswer,
  parseAccessRequest,
  toHex,
  verifyAccessAnswer,
  verifyAccessRequest,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { specExample, specPage } from './spec-page.ts';
import { alice, bob, BLOCK_START_MS, directory, filled, group, org } from './spec-world.ts';

const example = (name: string) => specExample('access', name);
const oneUse = primitives.decapsulator(filled(0x0c, 32));

describe('docs/spec/access.md', () => {
  test('the request is what is written for these inputs', () => {
    const fields = {
      org,
      group,
      device: bob.id,
      firstEpoch: 1,
      lastEpoch: 2,
      oneUseKey: oneUse.publicKey,
      nonce: filled(0x0d, 32),
      checkpoint: directory,
      createdMs: BLOCK_START_MS + 120_000,
    };
    const wire = createAccessRequest(primitives, bob.signer, fields);
    expect(toHex(wire)).toBe(toHex(example('request')));
    const { hash, ...read } = verifyAccessRequest(primitives, bob.verifier, wire);
    expect(read).toEqual(fields);
    expect(hash).toEqual(example('request-hash'));
  });

  test('grant and refusal open with the one-use key', () => {
    const { hash } = parseAccessRequest(primitives, example('request'));
    const opened = ['grant', 'refusal'].map((name) => {
      const answer = verifyAccessAnswer(primitives, alice.verifier, example(name));
      expect(answer).toMatchObject({ request: hash, author: alice.id, createdMs: BLOCK_START_MS + 180_000 });
      return openAccessAnswer(primitives, oneUse, answer);
    });
    expect(opened).toMatchObject([
      { verdict: 'granted', keys: [{ epoch: 1 }, { epoch: 2 }] },
      { verdict: 'refused', reason: 'Please call me.' },
    ]);
    const [granted] = opened;
    const keys = granted?.verdict === 'granted' ? granted.keys : [];
    expect(keys.map(({ key }) => key.use(toHex))).toEqual(['e0'.repeat(32), 'e1'.repeat(32)]);
  });

  test('the sizes are those of the code', () => {
    const page = specPage('access');
    for (const size of [MAX_ACCESS_REQUEST_BYTES, MAX_ACCESS_ANSWER_BYTES])
      expect(page).toContain(`At most ${size.toLocaleString('en')} bytes`);
  });
});
