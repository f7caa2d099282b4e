import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What is done with the archive in a folder: made of a new log, made of another archive, verified. */
export type Task = { readonly folder: string } & (
  | { readonly act: 'make'; readonly messages: number; /** Sizes. */ readonly attachments: readonly number[] }
  | { readonly act: 'export'; readonly from: string }
  | { readonly act: 'verify'; /** Whether by its key as well. */ readonly isOpened: boolean }
);

/** How long it took, how large the archive is, and how large the process has been. */
export interface Took {
  readonly ms: number;
  readonly sizeBytes: number;
  readonly peakBytes: number;
}

const MAIN = fileURLToPath(new URL('archive-main.ts', import.meta.url));
/** As `keytide` does, before anything else is loaded: what its young objects have grown to by then stays. */
const KEEP_SMALL =
  "data:text/javascript,import v8 from 'node:v8';v8.setFlagsFromString('--semi-space-growth-factor=1')";
const run = promisify(execFile);

/** Does it in a process of its own. @throws Error when it fails there */
export async function apart(task: Task): Promise<Took> {
  const options = [...process.execArgv, '--import', KEEP_SMALL];
  const { stdout } = await run(process.execPath, [...options, MAIN, JSON.stringify(task)]);
  return JSON.parse(stdout) as Took;
}
