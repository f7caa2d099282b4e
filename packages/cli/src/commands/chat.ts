import { ClientError, type LogItem } from '@keytide/client';
import { jsonChat } from '../chat-json.ts';
import { terminalChat } from '../chat-terminal.ts';
import type { ChatView } from '../chat-view.ts';
import type { Context } from '../context.ts';
import { untilOnline, untilSettled, withDevice } from '../device.ts';
import type { Keytide } from '../organisation.ts';
import { CliError } from '../errors.ts';
import { interruption } from '../interrupt.ts';
import { displayName } from '../names.ts';
import type { ChatMessage } from '../organisation.ts';

/** `keytide chat`: history, then what comes, and typed lines out, until Ctrl-D, Ctrl-C or the end of stdin. */
export async function chat(context: Context, options: { history: number }): Promise<void> {
  await withDevice(context, async (client) => {
    const ending = new AbortController();
    const view = openView(context, () => ending.abort(interruption()));
    const signal = AbortSignal.any([context.signal, ending.signal]);
    const stopListening = [
      client.on('state', (state) => view.state(state)),
      client.on('unreadable', (unreadable) => view.unreadable(unreadable)),
      client.on('missing', (missing) => view.missing(missing)),
      client.on('lost', (lost) => view.lost(lost)),
    ];
    try {
      await Promise.race([
        converse({ context, client, view, historyCount: options.history, signal }),
        stopped(client),
        rejectOn(signal),
      ]);
    } finally {
      ending.abort();
      for (const stop of stopListening) stop();
      view.close();
    }
  });
}

interface Conversation {
  readonly context: Context;
  readonly client: Keytide;
  readonly view: ChatView;
  readonly historyCount: number;
  readonly signal: AbortSignal;
}

async function converse(conversation: Conversation): Promise<void> {
  const { context, client, view } = conversation;
  view.state(client.state);
  await onlineOrNot(context, client);
  void showMessages(conversation);
  await sendLines(client, view);
  await untilSettled(context, client);
  // What has come back by now is shown before the chat ends.
  await new Promise((resolve) => setImmediate(resolve));
}

/** Without the relay the chat shows what this device holds, and goes on trying. */
async function onlineOrNot(context: Context, client: Keytide): Promise<void> {
  try {
    await untilOnline(context, client);
  } catch (error) {
    if (!(error instanceof CliError && error.code === 'unreachable')) throw error;
  }
}

async function showMessages({ client, view, historyCount, signal }: Conversation): Promise<void> {
  const messages = client.collections.chat;
  const history = messages.read();
  const old = new Set(history.map(({ seq }) => seq));
  const show = (item: LogItem<ChatMessage>): void =>
    view.message({
      item,
      name: displayName({ id: item.member, handle: item.handle }, client.members()),
      isOwn: item.member === client.member,
    });
  for (const item of historyCount === 0 ? [] : history.slice(-historyCount)) show(item);
  for await (const item of messages.follow(signal)) if (!old.has(item.seq)) show(item);
}

async function sendLines(client: Keytide, view: ChatView): Promise<void> {
  for await (const text of view.lines) {
    if (text.trim() === '') continue;
    try {
      await client.collections.chat.append({ text });
      view.queued(text, client.state.kind === 'online');
    } catch (error) {
      if (!(error instanceof ClientError) || !KEEPS_GOING.has(error.code)) throw error;
      view.refused(error.code, error.message);
    }
  }
}

/** What is wrong with one line, not with the chat. */
const KEEPS_GOING: ReadonlySet<string> = new Set(['invalid-value', 'too-large', 'not-ready']);

function openView({ output }: Context, onInterrupt: () => void): ChatView {
  if (output.json) return jsonChat(output);
  return terminalChat({ input: process.stdin, output: process.stdout, nowMs: () => Date.now(), onInterrupt });
}

/** Rejects with the reason when sync stops for good. */
function stopped(client: Keytide): Promise<never> {
  return new Promise((_, reject) => {
    const look = (): void => {
      const { kind } = client.state;
      if (kind === 'stopped' || kind === 'locked' || kind === 'wiped') client.online().catch(reject);
    };
    client.on('state', look);
    look();
  });
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
