import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FuzzReport } from './fuzz.ts';
import type { FuzzTask } from './fuzz-main.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('./fuzz-main.ts', import.meta.url));
/** Megabytes of heap. Buffers are counted by the suite itself. */
const HEAP = 128;

/**
 * Runs decoders in a process of their own: a reader that never comes back, or fills the heap, ends that process
 * and not the test.
 * @throws Error with what the process said, when it does not end well within `timeoutMs`
 */
export async function fuzzApart(task: FuzzTask, timeoutMs: number): Promise<FuzzReport[]> {
  const flags = ['--conditions=keytide-source', '--no-warnings', `--max-old-space-size=${HEAP}`];
  const { stdout } = await run(process.execPath, [...flags, MAIN, JSON.stringify(task)], {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as FuzzReport);
}

/** The seed, printed: the same in each run, but for what `KEYTIDE_SEED` in the environment says. */
export function fuzzSeed(name: string): number {
  const seed = Number(process.env['KEYTIDE_SEED'] ?? 20_300_103);
  console.log(`${name}: KEYTIDE_SEED=${seed}`);
  return seed;
}
