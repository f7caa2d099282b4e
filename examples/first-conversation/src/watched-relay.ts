import type { KeytideProcess, Line, Processes } from './keytide-process.ts';

/** The relay's process, which can be killed and started again on the same folder and port, and what it logged. */
export class WatchedRelay {
  readonly #processes: Processes;
  readonly #folder: string;
  #process: KeytideProcess | null = null;
  #told = 0;
  url = '';
  /** All its processes so far, oldest first. */
  readonly history: KeytideProcess[] = [];

  constructor(processes: Processes, folder: string) {
    this.#processes = processes;
    this.#folder = folder;
  }

  /** Starts it: on a free port the first time, then always on that one. */
  async start(): Promise<void> {
    const port = this.url === '' ? '0' : new URL(this.url).port;
    this.#process = this.#processes.start({ args: ['relay', '--data', this.#folder, '--port', port] });
    this.history.push(this.#process);
    const { url } = await this.#process.line(({ event }) => event === 'listening');
    this.url = String(url);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** What it noted since the last time it was asked, in words: all that it could see. */
  saw(): string {
    const lines = this.history.flatMap((process) => process.lines);
    const fresh = lines.slice(this.#told);
    this.#told = lines.length;
    return describe(fresh);
  }
}

function describe(lines: readonly Line[]): string {
  const of = (event: string): readonly Line[] => lines.filter((line) => line['event'] === event);
  const total = (appends: readonly Line[], field: string): number =>
    appends.reduce((sum, line) => sum + Number(line[field]), 0);
  const parts: string[] = [];
  const add = (count: number, text: string): void => {
    if (count > 0) parts.push(`${count} ${text}${count === 1 ? '' : 's'}`);
  };
  if (of('organisation-created').length > 0) parts.push('a new organisation, its first name and public keys');
  add(of('login').length, 'login');
  const directory = of('directory').at(-1);
  if (directory !== undefined)
    parts.push(`a membership log of ${String(directory['size'])} signed entries (names, roles, public keys)`);
  const appends = of('append');
  const epochs = total(appends, 'statements');
  add(total(appends, 'count') - epochs, 'sealed message');
  if (epochs > 0) parts.push(`${epochs === 1 ? 'a new key' : `${epochs} new keys`} (sealed to each device)`);
  if (appends.length > 0) parts.push(`${total(appends, 'sizeBytes').toLocaleString('en')} bytes together`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}
