import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const loaded = `
  import '@keytide/server-relay';
  import { createRequire } from 'node:module';
  const files = Object.keys(createRequire(import.meta.url + '/').cache);
  console.log(JSON.stringify(files.map((file) => file.replaceAll('\\\\', '/'))));
`;

test('a relay that uses no Redis does not load its client', async () => {
  const flags = ['--conditions=keytide-source', '--input-type=module', '-e', loaded];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
  const files = JSON.parse(stdout) as string[];
  // What it does load is seen.
  expect(files.some((file) => file.includes('/node_modules/fastify/'))).toBe(true);
  expect(files.filter((file) => file.includes('/node_modules/@redis/'))).toEqual([]);
});
