import type { LogItem, Lost, Missing, SyncState, Unreadable } from '@keytide/client';
import type { ChatMessage } from './organisation.ts';

/** A message as the chat shows it. */
export interface ShownMessage {
  readonly item: LogItem<ChatMessage>;
  /** The name to show for its sender. */
  readonly name: string;
  /** Whether this device's member wrote it. */
  readonly isOwn: boolean;
}

/** Where a chat shows what happens, and where its lines come from. */
export interface ChatView {
  /** Lines to send, as they are typed; ends at the end of the input. */
  readonly lines: AsyncIterable<string>;
  message(shown: ShownMessage): void;
  state(state: SyncState): void;
  unreadable(unreadable: Unreadable): void;
  missing(missing: Missing): void;
  lost(lost: Lost): void;
  /** A line is safe on this device; `isOnline` tells whether it is on its way already. */
  queued(text: string, isOnline: boolean): void;
  /** A line could not be written. */
  refused(code: string, message: string): void;
  close(): void;
}
