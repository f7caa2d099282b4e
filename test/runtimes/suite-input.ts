import { readdirSync, readFileSync } from 'node:fs';
import type { SuiteInput } from './portable-suite.ts';

const root = new URL('../../', import.meta.url);
const ALGORITHMS = ['primitives', 'edge-cases'];
const FORMATS = [
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

/** The vectors and the examples, from their files. */
export function readSuiteInput(): SuiteInput {
  return {
    vectors: Object.assign({}, ...ALGORITHMS.map(readVectors)),
    examples: readExamples(),
    formats: Object.assign({}, ...FORMATS.map(readVectors)),
    attachment: readVectors('attachment'),
    quorum: readVectors('quorum'),
  };
}

function readVectors<T>(name: string): T {
  const file = new URL(`packages/crypto-core/test/vectors/${name}.json`, root);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** Every fenced block "```hex NAME" of docs/spec; whitespace in it is layout. */
function readExamples(): Record<string, string> {
  const examples: Record<string, string> = {};
  const pages = new URL('docs/spec/', root);
  for (const file of readdirSync(pages)) {
    const text = readFileSync(new URL(file, pages), 'utf8');
    for (const [, name, block] of text.matchAll(/\n```hex ([a-z-]+)\n([^`]*)\n```/g))
      examples[`${file.replace('.md', '')}/${name}`] = (block ?? '').replaceAll(/\s/g, '');
  }
  return examples;
}
