import { readdirSync, readFileSync } from 'node:fs';
import type { SuiteInput } from './portable-suite.ts';
import type { Vectors } from './vector-checks.ts';

const root = new URL('../../', import.meta.url);
const VECTORS = ['primitives', 'edge-cases'];

/** The vectors and the examples, from their files. */
export function readSuiteInput(): SuiteInput {
  const vectors: Record<string, Vectors[string]> = {};
  for (const name of VECTORS) {
    const file = new URL(`packages/crypto-core/test/vectors/${name}.json`, root);
    Object.assign(vectors, JSON.parse(readFileSync(file, 'utf8')));
  }
  return { vectors, examples: readExamples() };
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
