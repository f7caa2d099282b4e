import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { terminalText } from './terminal-text.ts';

/**
 * How to ask a person for something that must not be seen: on the terminal, also when stdin is a pipe.
 * `null` when there is no terminal. The question goes to stderr: stdout is for results.
 */
export function hiddenPrompt(signal: AbortSignal): Ask<string> | null {
  return onTerminal(async (message, input) => {
    const { password } = await import('@inquirer/prompts');
    return await password({ message }, { input, output: process.stderr, signal });
  });
}

/** How to ask a person for a yes, as `hiddenPrompt`; return alone is a no. */
export function confirmPrompt(signal: AbortSignal): Ask<boolean> | null {
  return onTerminal(async (message, input) => {
    const { confirm } = await import('@inquirer/prompts');
    const question = { message: terminalText(message), default: false };
    return await confirm(question, { input, output: process.stderr, signal });
  });
}

/** Asks one question and waits for the answer. */
type Ask<T> = (message: string) => Promise<T>;

function onTerminal<T>(ask: (message: string, input: ReadStream) => Promise<T>): Ask<T> | null {
  const terminal = process.stdin.isTTY ? process.stdin : openTerminal();
  if (terminal === null) return null;
  return async (message) => {
    try {
      return await ask(message, terminal);
    } finally {
      if (terminal !== process.stdin) terminal.pause();
    }
  };
}

function openTerminal(): ReadStream | null {
  try {
    return new ReadStream(openSync('/dev/tty', 'r'));
  } catch {
    return null;
  }
}
