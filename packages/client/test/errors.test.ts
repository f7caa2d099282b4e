import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const read = (path: string): Promise<string> => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

/** The members of the union type `name` in a source file. */
function codesOf(source: string, name: string): string[] {
  const union = source.split(`export type ${name} =`)[1]?.split('\n\n')[0] ?? '';
  return [...union.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map((match) => match[1] as string);
}

test.each([
  ['ClientErrorCode', 'src/errors.ts', '## client'],
  ['UnreadableCode', 'src/group-replica.ts', '## Entries that show nothing'],
])('every %s is in the table that says what to do', async (name, path, title) => {
  const codes = codesOf(await read(path), name);
  const page = await read('../../docs/spec/errors.md');
  const section = page.split(`\n${title}\n`)[1]?.split('\n## ')[0] ?? '';
  const listed = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(5);
  expect(listed).toEqual(codes);
});
