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

interface Snippet {
  readonly language: 'ts' | 'tsx';
  readonly code: string;
}

async function snippetsOf(page: string): Promise<Snippet[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(([, language, code]) => {
    return { language, code } as Snippet;
  });
}

describe('the code in the documentation', () => {
  test('compiles', async () => {
    const files: string[] = [];
    for await (const page of glob('{README.md,SECURITY.md,docs/**/*.md}', { cwd: root })) {
      for (const [i, { language, code }] of (await snippetsOf(page)).entries()) {
        const file = `${page.replaceAll('/', '-')}-${i + 1}.${language}`;
        await writeFile(join(folder, file), code);
        files.push(file);
      }
    }
    const config = {
      extends: '../tsconfig.tests.json',
      compilerOptions: { jsx: 'react-jsx' },
      files,
      include: [],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/.bin/tsc');
    const result = await run(tsc, ['-p', folder], { cwd: root }).catch((error: { stdout: string }) => error);
    expect(result.stdout).toBe('');
    expect(files.length).toBeGreaterThan(0);
  });

  test('in the README runs, and prints what its comment says', async () => {
    const [example] = await snippetsOf('README.md');
    const file = join(folder, 'readme.ts');
    await writeFile(file, example?.code ?? '');
    const { stdout } = await run(process.execPath, [file], { cwd: root });
    const promised = /\/\/ (.*)$/m.exec(example?.code ?? '')?.[1];
    expect(stdout).toBe(`${promised}\n`);
    expect(example?.code.trim().split('\n').length).toBeLessThanOrEqual(20);
  });
});
