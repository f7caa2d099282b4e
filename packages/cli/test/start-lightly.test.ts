import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const program = pathToFileURL(join(import.meta.dirname, '..', 'src', 'program.ts')).href;
const loaded = `
  import { registerHooks } from 'node:module';
  const urls = [];
  registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
  await import('${program}');
  console.log(JSON.stringify(urls));
`;

test('a command loads what it needs when it is run, and nothing of the others', async () => {
  const flags = ['--conditions=keytide-source', '--input-type=module', '-e', loaded];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
  const urls = JSON.parse(stdout) as string[];
  // What it does load is seen.
  expect(urls.some((url) => url.includes('/node_modules/commander/'))).toBe(true);
  const heavy = ['/node_modules/fastify/', '/node_modules/zod/', '/packages/client/', '/packages/archive/'];
  expect(urls.filter((url) => heavy.some((part) => url.includes(part)))).toEqual([]);
});
