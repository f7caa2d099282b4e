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
    state: (state) => {
      const progress = state.kind === 'catching-up' ? { done: state.done, total: state.total } : {};
      emit('state', { state: state.kind, ...progress });
    },
    unreadable: (unreadable) => emit('unreadable', { ...unreadable }),
    missing: (missing) => emit('missing', missing),
    lost: ({ seq, throughSeq, again }) => emit('lost', { seq, throughSeq, again }),
    queued: (_text, isOnline) => emit('queued', { online: isOnline }),
    refused: (code, message) => emit('refused', { code, message }),
    close: () => readline.close(),
  };
}
