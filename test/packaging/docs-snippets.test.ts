import { execFile } from 'node:child_process';
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const folder = join(root, '.snippets');

beforeAll(() => mkdir(folder, { recursive: true }));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function snippetsOf(page: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] as string);
}

describe('the code in the documentation', () => {
  test('compiles', async () => {
    const files: string[] = [];
    for await (const page of glob('{README.md,SECURITY.md,docs/**/*.md}', { cwd: root })) {
      for (const [i, snippet] of (await snippetsOf(page)).entries()) {
        const file = `${page.replaceAll('/', '-')}-${i + 1}.ts`;
        await writeFile(join(folder, file), snippet);
        files.push(file);
      }
    }
    const config = { extends: '../tsconfig.tests.json', files, include: [] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/.bin/tsc');
    const result = await run(tsc, ['-p', folder], { cwd: root }).catch((error: { stdout: string }) => error);
    expect(result.stdout).toBe('');
    expect(files.length).toBeGreaterThan(0);
  });

  test('in the README runs, and prints what its comment says', async () => {
    const [example] = await snippetsOf('README.md');
    const file = join(folder, 'readme.ts');
    await writeFile(file, example as string);
    const { stdout } = await run(process.execPath, [file], { cwd: root });
    const promised = /\/\/ (.*)$/m.exec(example as string)?.[1];
    expect(stdout).toBe(`${promised}\n`);
    expect(example?.trim().split('\n').length).toBeLessThanOrEqual(20);
  });
});
