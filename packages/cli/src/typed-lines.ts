import type { Interface } from 'node:readline';

/** Above this many lines that wait, reading stops until they are taken. */
const MAX_WAITING = 1000;

/**
 * The lines of `readline` from now on, none lost while nobody asks for them; ends when it closes.
 * `onLine` hears of each as it is entered.
 */
export function typedLines(readline: Interface, onLine?: (line: string) => void): AsyncIterable<string> {
  const waiting: string[] = [];
  let isClosed = false;
  let wake: () => void = () => {};
  readline.on('line', (line) => {
    onLine?.(line);
    waiting.push(line);
    if (waiting.length > MAX_WAITING) readline.pause();
    wake();
  });
  readline.on('close', () => {
    isClosed = true;
    wake();
  });
  return (async function* () {
    for (;;) {
      const line = waiting.shift();
      if (line !== undefined) {
        if (waiting.length === 0 && !isClosed) readline.resume();
        yield line;
      } else if (isClosed) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  })();
}
