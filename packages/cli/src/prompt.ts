import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { password } from '@inquirer/prompts';

/**
 * How to ask a person for something that must not be seen: on the terminal, also when stdin is a pipe.
 * `null` when there is no terminal. The question goes to stderr: stdout is for results.
 */
export function hiddenPrompt(signal: AbortSignal): ((message: string) => Promise<string>) | null {
  const terminal = process.stdin.isTTY ? process.stdin : openTerminal();
  if (terminal === null) return null;
  return async (message) => {
    try {
      return await password({ message }, { input: terminal, output: process.stderr, signal });
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
