import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const lock = fileURLToPath(new URL('package-lock.json', root));
const installed = fileURLToPath(new URL('node_modules/.package-lock.json', root));

/** Installs the peers into this folder, unless they are there as the lock file has them. Says so before. */
export function installPeers(): void {
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  const folder = fileURLToPath(root);
  console.error('installing the peers to compare with into bench/node_modules (once, about 200 MB)');
  const npm = process.env['npm_execpath'];
  const [program, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync(program, [...first, 'ci', ...options], { cwd: folder, stdio: ['ignore', 2, 2] });
}

/**
 * What the module bench/peers/NAME.ts exports by default. Its path is computed, so that the types of this
 * repository do not need the peers; bench/tsconfig.json checks those files once they are installed.
 */
export async function loadPeer<T>(name: string): Promise<T> {
  const loaded = (await import(new URL(`peers/${name}.ts`, root).href)) as { default: T };
  return loaded.default;
}
