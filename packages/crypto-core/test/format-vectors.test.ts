import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { formatReaders, type FormatCases } from './format-readers.ts';
import { hex } from './vectors.ts';

const FILES = [
  'encoding',
  'keys-and-sealing',
  'epoch',
  'envelope',
  'printed-share',
  'vault',
  'pairwise',
  'ephemeral',
  'access',
];

const vectors: Record<string, FormatCases> = {};
for (const file of FILES) {
  const text = readFileSync(new URL(`vectors/${file}.json`, import.meta.url), 'utf8');
  Object.assign(vectors, JSON.parse(text));
}
const statement = hex(vectors['epochStatement']?.valid[0]?.['bytes'] ?? 'missing');
const readers = formatReaders(nodePrimitives, statement);

describe('vectors of our own formats', () => {
  test('every reader has good and bad cases, each with a name of its own', () => {
    expect(Object.keys(vectors).toSorted()).toEqual(Object.keys(readers).toSorted());
    for (const [format, { valid, invalid }] of Object.entries(vectors)) {
      const names = [...valid, ...invalid].map(({ name }) => name);
      expect(new Set(names).size, format).toBe(names.length);
      expect(valid.length, format).toBeGreaterThan(0);
      if (!ALWAYS_GIVE.includes(format)) expect(invalid.length, format).toBeGreaterThan(2);
    }
  });
  for (const [format, { valid, invalid }] of Object.entries(vectors)) {
    for (const vector of valid)
      test(`${format}: ${vector['name']}`, () => expect(readers[format]?.(vector)).toBe(vector['gives']));
    for (const vector of invalid)
      test(`${format}, refused: ${vector['name']}`, () =>
        expect(codeOf(() => readers[format]?.(vector))).toBe(vector['code']));
  }
});

/** What is never refused: hashes of anything, and a run, which has a verdict for each of its messages. */
const ALWAYS_GIVE = ['labelledHash', 'archiveRecipient', 'run'];
