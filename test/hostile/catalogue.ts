import { glob, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** An attack and the file in `test/hostile` that makes it. */
export interface Listed {
  readonly attack: string;
  readonly file: string;
}

/** The tests of the suite itself. */
const OWN = new Set(['catalogue.test.ts', 'stage.test.ts']);

/** What the guide lists: the rows of its tables whose last cell is a file of tests. */
export async function listedAttacks(): Promise<Listed[]> {
  const text = await readFile(join(root, 'docs/guides/hostile-relay.md'), 'utf8');
  const rows = text.matchAll(/^\| (.+?) \|(?: .+? \|)? `([\w-]+\.(?:attack|test)\.ts)` \|$/gm);
  return [...rows].map(([, attack, file]) => ({ attack: attack as string, file: file as string }));
}

/**
 * What is tested: everything at the outermost level of a function with attacks, or of a file with tests of its own,
 * be it one test or what several have in common. What changes from case to case stands as `…`.
 */
export async function testedAttacks(): Promise<Listed[]> {
  const tested: Listed[] = [];
  for await (const path of glob('test/hostile/*.{attack,test}.ts', { cwd: root })) {
    const file = basename(path);
    const text = await readFile(join(root, path), 'utf8');
    if (OWN.has(file) || !/^ *test\b/m.test(text)) continue;
    const indent = file.endsWith('.attack.ts') ? '  ' : '';
    for (const { index, 0: start } of text.matchAll(new RegExp(`^${indent}(?:test|describe)\\b`, 'gm'))) {
      const name = /^(?:\.each.*?\]\))?\(\s*(['"`])(.*?)\1/s.exec(text.slice(index + start.length))?.[2];
      if (name === undefined) throw new Error(`${file}: a test that has no name, or is not run, at ${index}`);
      tested.push({ attack: name.replaceAll(/%\w/g, '…'), file });
    }
  }
  return tested;
}

/** Functions with attacks that no file of tests calls. */
export async function attacksNobodyMakes(): Promise<string[]> {
  const made: string[] = [];
  let tests = '';
  for await (const path of glob('test/hostile/*.ts', { cwd: root })) {
    const text = await readFile(join(root, path), 'utf8');
    if (path.endsWith('.test.ts')) tests += text;
    if (path.endsWith('.attack.ts'))
      made.push(...Array.from(text.matchAll(/^export function (\w+)/gm), ([, name]) => name as string));
  }
  return made.filter((name) => !new RegExp(`^ +${name}\\(`, 'm').test(tests));
}
