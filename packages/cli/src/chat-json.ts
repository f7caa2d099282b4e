import { createInterface } from 'node:readline';
import type { ChatView } from './chat-view.ts';
import type { Output } from './output.ts';
import { isoTime } from './timestamps.ts';
import { typedLines } from './typed-lines.ts';

/** The chat for programs: lines of text in, one JSON object a line out. */
export function jsonChat(output: Output): ChatView {
  const emit = (event: string, fields: object): void => output.event({ event, ...fields });
  const readline = createInterface({ input: process.stdin, crlfDelay: Infinity });
  return {
    lines: typedLines(readline),
    message: ({ item, isOwn }) =>
      emit('message', {
        seq: item.seq,
        handle: item.handle,
        member: item.member,
        device: item.device,
        own: isOwn,
        time: isoTime(item.timeMs),
        text: item.body.text,
      }),
    state: (state) => emit('state', { state: state.kind, ...('done' in state ? { done: state.done } : {}) }),
    unreadable: ({ seq, code }) => emit('unreadable', { seq, code }),
    missing: (missing) => emit('missing', missing),
    queued: (_text, isOnline) => emit('queued', { online: isOnline }),
    refused: (code, message) => emit('refused', { code, message }),
    close: () => readline.close(),
  };
}
