import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../dist/keytide.js', import.meta.url));

/** What a finished `keytide` process said, and its exit code (`null` after a signal). */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it; nothing of the tester's own environment reaches it but PATH. */
export interface Run {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Called once it runs; `stdin` is then left open. */
  readonly whileRunning?: (child: ChildProcess) => void;
}

/** Runs the built command, without a terminal, to its end. */
export function runKeytide(args: readonly string[], run: Run = {}): Promise<Finished> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...run.env },
    // A session of its own: no terminal to ask on.
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {});
  if (run.whileRunning === undefined) child.stdin.end(run.stdin ?? '');
  else run.whileRunning(child);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
