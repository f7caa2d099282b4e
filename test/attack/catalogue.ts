import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ELSEWHERE } from './elsewhere.ts';

const root = join(import.meta.dirname, '../..');
const BESIDE = 'packages/server-relay/test';

/** The rows of the page: an item of OWASP, an attack, and the file that makes it. */
export async function rowsOfTests(): Promise<string[]> {
  const rows: string[] = [];
  for await (const path of glob('test/attack/*.{attack,test}.ts', { cwd: root })) {
    const text = whole(path, await readFile(join(root, path), 'utf8'));
    let item: string | null = null;
    for (const [, kind, , name = ''] of text.matchAll(/^ *(describe|test)\((['"])(.*?)\2,/gm)) {
      if (kind === 'describe') item = /^(API\d+): /.exec(name)?.[1] ?? null;
      else if (item !== null) rows.push(row(item, name, path));
    }
  }
  for (const [item, file, name] of ELSEWHERE) {
    const text = whole(file, await readFile(join(root, BESIDE, file), 'utf8'));
    if (!hasTest(text, name)) throw new Error(`${file} has no test '${name}'`);
    rows.push(row(item, name, `${BESIDE}/${file}`));
  }
  return rows.toSorted(byItem);
}

/** The text of a file of tests. @throws Error for one of which a part is not run: the page would say that it is */
export function whole(path: string, text: string): string {
  const [left] = /\b(?:describe|test|it)\.(?:skip|skipIf|runIf|todo|only|fails)\b/.exec(text) ?? [];
  if (left !== undefined) throw new Error(`${path} leaves tests out: ${left}`);
  return text;
}

/** Whether a test of this name begins there, and not only its name stands there. */
export function hasTest(text: string, name: string): boolean {
  return [...text.matchAll(/^ *(?:test|it)\(\s*(['"])(.*?)\1,/gm)].some(([, , found]) => found === name);
}

/** The rows that the page has. */
export async function rowsOfPage(): Promise<string[]> {
  const page = await readFile(join(root, 'docs/security-tests.md'), 'utf8');
  return page.match(/^\| API.*$/gm) ?? [];
}

/** How many tests a file of attacks has that the page cannot know: under no item of OWASP. */
export async function nameless(): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob('test/attack/*.{attack,test}.ts', { cwd: root })) {
    if (path.endsWith('catalogue.test.ts')) continue;
    const text = await readFile(join(root, path), 'utf8');
    const tests = text.match(/^ *test\b/gm)?.length ?? 0;
    const listed = (await rowsOfTests()).filter((each) => each.endsWith(`\`${path}\` |`)).length;
    if (tests !== listed) found.push(path);
  }
  return found;
}

function row(item: string, name: string, path: string): string {
  return `| ${item} | ${name} | \`${path}\` |`;
}

/** In the order of OWASP's numbers. */
function byItem(a: string, b: string): number {
  const number = (text: string): number => Number(/API(\d+)/.exec(text)?.[1]);
  return number(a) - number(b) || (a < b ? -1 : 1);
}
