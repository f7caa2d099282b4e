import { readFileSync } from 'node:fs';
import { hex } from './vectors.ts';

/** The text of a page of docs/spec. */
export function specPage(name: string): string {
  return readFileSync(new URL(`../../../docs/spec/${name}.md`, import.meta.url), 'utf8');
}

/** The bytes of the fenced block "```hex NAME" of a page; whitespace in it is layout. */
export function specExample(page: string, name: string): Uint8Array {
  const [, block] = specPage(page).split(`\n\`\`\`hex ${name}\n`);
  if (block === undefined) throw new Error(`${page}.md has no example called ${name}`);
  return hex((block.split('\n```')[0] ?? '').replaceAll(/\s/g, ''));
}
