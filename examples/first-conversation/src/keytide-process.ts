import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A line of JSON that `keytide --json` has printed. */
export type Line = Readonly<Record<string, unknown>>;

/** How a `keytide` process is started. */
export interface Start {
  readonly args: readonly string[];
  /** Handed over through file descriptor 3: arguments and environment are visible to others. */
  readonly passphrase?: string;
  /** All that comes on stdin, for `run`. */
  readonly input?: string;
}

const PROGRAM = fileURLToPath(new URL('../../../packages/cli/dist/keytide.js', import.meta.url));
const TERMINATE_MS = 8000;

/** The processes of one story: each is really separate, and each is ended by its own id. */
export class Processes {
  readonly #running = new Set<KeytideProcess>();

  /** Starts `keytide --json …` and lets it run. */
  start(start: Start): KeytideProcess {
    const process = new KeytideProcess(start);
    this.#running.add(process);
    void process.ended.then(() => this.#running.delete(process));
    return process;
  }

  /** Runs `keytide --json …` to its end; its last line. @throws Error with its own error line when it fails */
  async run(start: Start): Promise<Line> {
    const process = this.start(start);
    process.endInput(start.input);
    await process.succeeded();
    return process.lines.at(-1) ?? {};
  }

  /** Ends everything that still runs. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map((process) => process.terminate()));
  }
}

/** One `keytide` process, with every line it has printed. */
export class KeytideProcess {
  readonly lines: Line[] = [];
  /** Everything it printed, as bytes see it: for whoever wants to search it. */
  printed = '';
  /** Resolves with the exit code, or `null` after a signal. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #command: string;
  readonly #watchers = new Set<() => void>();
  #problem = '';
  #isOver = false;

  constructor({ args, passphrase }: Start) {
    const secret = passphrase === undefined ? [] : ['--passphrase-fd', '3'];
    this.#command = `keytide ${args.slice(0, 2).join(' ')}`;
    this.#child = spawn(process.execPath, [PROGRAM, '--json', ...secret, ...args], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: withoutKeytide(process.env),
    });
    const { stdin, stdout, stderr, stdio } = this.#child;
    // A process that has ended no longer reads; what it says instead is on its way.
    for (const input of [stdin, stdio[3]]) input?.on('error', () => {});
    (stdio[3] as Writable).end(passphrase === undefined ? '' : `${passphrase}\n`);
    createInterface({ input: stdout as NonNullable<typeof stdout> }).on('line', (line) => {
      this.printed += `${line}\n`;
      this.lines.push(JSON.parse(line) as Line);
      this.#changed();
    });
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.printed += text;
      this.#problem += text;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        this.#isOver = true;
        resolve(code);
        this.#changed();
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The first line after `from` that satisfies `is`; waits for it. @throws Error when the process ends before */
  async line(is: (line: Line) => boolean, from = 0): Promise<Line> {
    for (;;) {
      const found = this.lines.slice(from).find(is);
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`${this.#command} ended too early: ${this.#complaint}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** Types a line. */
  type(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }

  /** Says, as Ctrl-D does, that nothing more is typed after `last`. */
  endInput(last: string = ''): void {
    this.#child.stdin?.end(last);
  }

  /** Waits for exit code 0. @throws Error with what it said instead */
  async succeeded(): Promise<void> {
    const code = await this.ended;
    if (code !== 0) throw new Error(`${this.#command} ended with ${code ?? 'a signal'}: ${this.#complaint}`);
  }

  /** SIGKILL: no chance to save anything. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** Asks it to end, and insists after a while. */
  async terminate(): Promise<void> {
    this.#child.kill('SIGTERM');
    const insisting = setTimeout(() => this.#child.kill('SIGKILL'), TERMINATE_MS);
    await this.ended;
    clearTimeout(insisting);
  }

  /** What it said on stderr, in words where it was one of its own errors. */
  get #complaint(): string {
    try {
      const { message, next } = (JSON.parse(this.#problem) as { error: { message: string; next: string } })
        .error;
      return `${message}. ${next}`;
    } catch {
      return this.#problem.trim();
    }
  }

  #changed(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}

/** The story must not depend on, or touch, what the user has set for their own use. */
function withoutKeytide(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KEYTIDE_')));
}
