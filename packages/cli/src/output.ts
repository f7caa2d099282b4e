import { jsonLine, terminalText } from './terminal-text.ts';

/** Where text goes. */
export interface Sink {
  write(text: string): unknown;
}

/** What a command says: to people, or with `--json` to programs. */
export interface Output {
  readonly json: boolean;
  /** The outcome, on stdout: lines for people, one object for programs. */
  result(value: object, lines: readonly string[]): void;
  /** Something that happened, on stdout, for programs only. */
  event(value: { readonly event: string }): void;
  /** An aside, on stderr, for people only. */
  note(text: string): void;
}

/** Every line for people goes through `terminalText`: what peers wrote cannot steer the terminal. */
export function createOutput(options: { json: boolean; stdout: Sink; stderr: Sink }): Output {
  const { json, stdout, stderr } = options;
  return {
    json,
    result(value, lines) {
      if (json) stdout.write(`${jsonLine(value)}\n`);
      else for (const line of lines) stdout.write(`${terminalText(line)}\n`);
    },
    event(value) {
      if (json) stdout.write(`${jsonLine(value)}\n`);
    },
    note(text) {
      if (!json) stderr.write(`${terminalText(text)}\n`);
    },
  };
}
