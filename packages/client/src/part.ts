import type { HintTopic } from '@keytide/relay-protocol';

/** A part of the client with a conversation of its own with the relay, beside the two logs. */
export interface Part {
  /** What the relay's hints to it are about; `null`: there are none. */
  readonly topic: HintTopic | null;
  /** The relay is there again, or has hinted at news. Never throws. */
  wake(): void;
  /** Begins nothing more; resolves when nothing is under way. Never rejects. */
  stop(): Promise<void>;
}
