import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a child process says: one JSON object a line. */
export type Line = { readonly say: string } & Readonly<Record<string, unknown>>;

/** A process of our own that can be killed at any moment. */
export interface Child {
  /** Takes the first line, past or to come, that says `what`. @throws Error when the child ends or takes too long */
  said(what: string, timeoutMs?: number): Promise<Line>;
  /** Hands it a command on its standard input. */
  tell(command: Readonly<Record<string, unknown>>): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Has it stand still, and go on. */
  stall(): void;
  goOn(): void;
  /** Resolves with the exit code, `null` after a signal. */
  readonly exited: Promise<number | null>;
  readonly running: boolean;
  readonly pid: number;
}

/** How to start a child. `onLine` gets each line, also those that it wrote just before it was killed. */
export interface ChildOptions {
  readonly script: string;
  readonly argument: unknown;
  readonly onLine?: (line: Line) => void;
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const SAID_MS = 90_000;
const children = new Set<ChildProcess>();

/** Starts `script` (a file of this folder) with the sources of the packages. It ends when this process does. */
export function startChild(options: ChildOptions): Child {
  const script = fileURLToPath(new URL(options.script, import.meta.url));
  const flags = ['--conditions=keytide-source', '--no-warnings', ...(options.nodeOptions ?? [])];
  const child = spawn(process.execPath, [...flags, script, JSON.stringify(options.argument)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  children.add(child);
  child.stdin.on('error', () => {}); // a killed child does not read what it was told
  const complaints: string[] = [];
  child.stderr.on('data', (chunk) => complaints.push(String(chunk)));

  const lines: Line[] = [];
  const watchers = new Set<() => void>();
  const wake = (): void => watchers.forEach((watcher) => watcher());
  let code: number | null | undefined;
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    if (line.say !== 'durable' && line.say !== 'seen') lines.push(line);
    options.onLine?.(line);
    wake();
  });
  // 'close' comes after the last line; 'exit' may come before.
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (exitCode) => {
      code = exitCode;
      children.delete(child);
      wake();
      resolve(exitCode);
    });
  });

  return {
    exited,
    pid: child.pid ?? 0,
    get running() {
      return code === undefined;
    },
    async said(what, timeoutMs = SAID_MS) {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        wake();
      }, timeoutMs);
      try {
        for (;;) {
          const found = lines.findIndex((line) => line.say === what);
          if (found >= 0) return lines.splice(found, 1)[0] as Line;
          if (code === undefined && !late) {
            await new Promise<void>((resolve) => watchers.add(resolve));
            watchers.clear();
            continue;
          }
          const why = code === undefined ? `within ${timeoutMs} ms` : `before its end (${code})`;
          throw new Error(`${options.script} did not say '${what}' ${why}\n${complaints.join('')}`);
        }
      } finally {
        clearTimeout(timer);
      }
    },
    tell: (command) => void child.stdin.write(`${JSON.stringify(command)}\n`),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    stall: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
  };
}

/** Ends every child that still runs: for `afterAll`. */
export async function endChildren(): Promise<void> {
  const running = [...children];
  const gone = running.map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(gone);
}
