import type { Unreadable } from '@keytide/client';
import type { ShownMessage } from './chat-view.ts';
import { terminalLines, terminalText } from './terminal-text.ts';
import { clockTime } from './timestamps.ts';

/** A message as lines for a terminal. Further lines are indented, so that none can pass for another message. */
export function messageLines({ item, name }: ShownMessage, nowMs: number): string[] {
  const [first = '', ...more] = terminalLines(item.body.text);
  const head = `${clockTime(item.timeMs, nowMs)} ${terminalText(name)}: ${first}`;
  return [head, ...more.map((line) => `      ${line}`)];
}

/** Why a message shows nothing, in words. */
export function unreadableLine({ seq, throughSeq, code }: Unreadable): string {
  if (throughSeq !== undefined)
    return `* messages up to ${throughSeq} are gone: they are older than this organisation keeps them (${code})`;
  return `* message ${seq} cannot be read: ${REASONS[code] ?? code}`;
}

const REASONS: Partial<Record<string, string>> = {
  'expired-by-policy': 'it is older than this organisation keeps messages on devices (expired-by-policy)',
  'ask-an-admin': 'it was written before this device was let in; ask an admin (ask-an-admin)',
  'sealing-key-expired': 'it was written while this device was away for too long (sealing-key-expired)',
  'key-not-yet-arrived': 'its key has not arrived yet (key-not-yet-arrived)',
  'device-not-certified': 'its sender was not let in to this conversation (device-not-certified)',
  removed: 'its sender had been removed (removed)',
  tampered: 'it was altered or forged; tell your admin (tampered)',
  replayed: 'it is a copy of an earlier message (replayed)',
  'out-of-order': 'it came in the wrong place (out-of-order)',
  'chain-broken': 'a message before it was withheld or replaced; tell your admin (chain-broken)',
  invalid: 'its sender wrote something that the rules do not allow (invalid)',
};
