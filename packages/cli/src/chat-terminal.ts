import { createInterface, clearScreenDown, cursorTo, moveCursor } from 'node:readline';
import type { SyncState } from '@keytide/client';
import { messageLines, unreadableLine } from './chat-lines.ts';
import type { ChatView } from './chat-view.ts';
import { displayWidth } from './display-width.ts';
import { terminalText } from './terminal-text.ts';
import { typedLines } from './typed-lines.ts';

/** The terminal and what ends the chat. */
interface TerminalChatOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly nowMs: () => number;
  /** Called at Ctrl-C. */
  readonly onInterrupt: () => void;
}

/** The chat for people: what arrives is printed above the line that is being typed, which stays as it is. */
export function terminalChat({ input, output, nowMs, onInterrupt }: TerminalChatOptions): ChatView {
  const isTerminal = output.isTTY === true && input.isTTY === true;
  const readline = createInterface({ input, output, terminal: isTerminal, prompt: isTerminal ? PROMPT : '' });
  let isClosed = false;
  let lastState: SyncState['kind'] | null = null;
  readline.on('close', () => {
    isClosed = true;
  });
  readline.on('SIGINT', onInterrupt);

  const lines = typedLines(readline, (line) => {
    if (!isTerminal) return;
    // It comes back with its time and name once the relay has it.
    const rows = Math.floor((displayWidth(line) + PROMPT.length) / (output.columns || 80)) + 1;
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    readline.prompt();
  });
  const print = (shown: readonly string[]): void => {
    const text = shown.map((line) => `${line}\n`).join('');
    if (!isTerminal || isClosed) {
      output.write(text);
      return;
    }
    const { rows } = readline.getCursorPos();
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    // prompt() goes up by as many rows as it believes the cursor to be down in the typed line, which after a
    // paste is out of date; it needs that many rows below the text.
    Object.assign(readline, { prevRows: rows });
    output.write(text + '\n'.repeat(rows));
    readline.prompt(true);
  };
  if (isTerminal) readline.prompt();
  return {
    lines,
    message: (shown) => print(messageLines(shown, nowMs())),
    state: (state) => {
      const line = STATES[state.kind];
      if (line === null || state.kind === lastState) return;
      lastState = state.kind;
      print([line]);
    },
    unreadable: (unreadable) => print([unreadableLine(unreadable)]),
    missing: ({ device, from, to }) =>
      print([
        `* the relay has not given ${to - from + 1} message(s) of device ${device.slice(0, 8)}; tell your admin`,
      ]),
    lost: ({ seq, throughSeq, again }) =>
      print([
        `* the relay was put back and has lost entries ${seq} to ${throughSeq}; of yours, ${again} are sent again`,
      ]),
    queued: (text, isOnline) => {
      if (!isOnline) print([`  (kept until the relay is back) ${terminalText(text)}`]);
    },
    refused: (code, message) => print([`* not sent: ${terminalText(message)} (${code})`]),
    close: () => {
      if (isTerminal && !isClosed) output.write('\n');
      readline.close();
    },
  };
}

const PROMPT = '> ';

const STATES: Readonly<Record<SyncState['kind'], string | null>> = {
  offline: '* the relay cannot be reached; trying again, and keeping what you write',
  connecting: null,
  'catching-up': null,
  online: '* connected',
  locked: '* locked: the unlock lease has run out; start keytide again',
  wiped: '* your organisation has wiped this device',
  closed: null,
  stopped: null,
};
