import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** The program of the npm package hermes-engine-cli for this machine. @throws Error where it has none */
function hermesPath(): string {
  const folder = dirname(require.resolve('hermes-engine-cli/package.json'));
  const name = { linux: 'linux64-bin/hermes', darwin: 'osx-bin/hermes', win32: 'win64-bin/hermes.exe' };
  const path = join(folder, name[process.platform as keyof typeof name] ?? 'none');
  if (!existsSync(path)) throw new Error(`hermes-engine-cli has no program for ${process.platform}`);
  return path;
}

/** Lowers a script as React Native's preset does for engines without classes. */
async function lower(script: string): Promise<string> {
  const lowered = await transformAsync(script, {
    presets: [
      [
        require.resolve('@react-native/babel-preset'),
        {
          unstable_transformProfile: 'default',
          disableImportExportTransform: true,
          enableBabelRuntime: false,
        },
      ],
    ],
    filename: 'bundle.js',
    babelrc: false,
    configFile: false,
    compact: true,
    sourceType: 'script',
  });
  return lowered?.code ?? '';
}

/** Runs a script in the Hermes VM with `global` as a global variable of that name; gives what it printed. */
export async function runInHermes(script: string, global: { name: string; value: unknown }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-hermes-'));
  try {
    const path = join(folder, 'bundle.js');
    const input = `globalThis.${global.name} = ${JSON.stringify(global.value)};\n`;
    await writeFile(path, input + (await lower(script)));
    const { stdout } = await run(hermesPath(), ['-O', '-w', path], { timeout: 100_000 });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
