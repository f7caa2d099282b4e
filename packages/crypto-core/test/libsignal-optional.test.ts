import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

/** Resolves nothing of @signalapp, as on a machine where it is not installed, then imports each subpath. */
const script = `
  import { registerHooks } from 'node:module';
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith('@signalapp/')) throw new Error('not installed');
      return next(specifier, context);
    },
  });
  const outcomes = {};
  for (const subpath of ['', '/node', '/portable', '/browser', '/libsignal'])
    outcomes[subpath] = await import('@keytide/crypto-core' + subpath).then(
      (module) => Object.keys(module).length > 0,
      (error) => error.message,
    );
  console.log(JSON.stringify(outcomes));
`;

test('only the libsignal subpath needs libsignal', async () => {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const args = ['--conditions=keytide-source', '--no-warnings', '--input-type=module', '--eval', script];
  const { stdout } = await run(process.execPath, args, { cwd });
  expect(JSON.parse(stdout)).toEqual({
    '': true,
    '/node': true,
    '/portable': true,
    '/browser': true,
    '/libsignal': 'not installed',
  });
});
