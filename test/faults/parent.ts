import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The argument that the parent process gave this one. */
export function givenArgument<T>(): T {
  return JSON.parse(process.argv[2] as string) as T;
}

/** Tells the parent one thing. It has left this process when this returns, so a SIGKILL cannot take it back. */
export function say(what: string, fields: Readonly<Record<string, unknown>> = {}): void {
  writeSync(1, `${JSON.stringify({ say: what, ...fields })}\n`);
}

/** Follows the parent's commands; when the parent is gone, so is this process. */
export function onCommand<T>(listener: (command: T) => void): void {
  const input = createInterface({ input: process.stdin });
  input.on('line', (text) => listener(JSON.parse(text) as T));
  input.on('close', () => process.exit(2));
}
