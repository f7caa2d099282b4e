import { readFileSync } from 'node:fs';
import { fromHex } from '@keytide/crypto-core';

/** The text of a page of docs/spec. */
export function specPage(name: string): string {
  return readFileSync(new URL(`../../../docs/spec/${name}.md`, import.meta.url), 'utf8');
}

/** The text of the fenced block "```LANGUAGE NAME" of a page. */
export function specBlock(page: string, fence: string): string {
  const [, block] = specPage(page).split(`\n\`\`\`${fence}\n`);
  if (block === undefined) throw new Error(`${page}.md has no block ${fence}`);
  return block.split('\n```')[0] ?? '';
}

/** The bytes of the block "```hex NAME"; whitespace in it is layout. */
export function specExample(page: string, name: string): Uint8Array {
  const bytes = fromHex(specBlock(page, `hex ${name}`).replaceAll(/\s/g, ''));
  if (bytes === null) throw new Error(`the example ${name} of ${page}.md is not hexadecimal`);
  return bytes;
}
