import type { ClientFrame, RelayFrame } from '@keytide/relay-protocol';

/** One live WebSocket through a hostile relay. What is sent here passes by all attacks. */
export interface HostileLink {
  /** The device (64 hex characters) whose session said hello; `null` before. */
  readonly who: string | null;
  toClient(frame: RelayFrame | Uint8Array): void;
  toRelay(frame: ClientFrame | Uint8Array): void;
  /** Says and passes on nothing more, and keeps both connections open. */
  freeze(): void;
  /** Ends the connection without a word. */
  cut(): void;
}

/** An HTTP call of a client, its body read as JSON, or the bytes that it is (of a blob). */
export interface HostileCall {
  /** The device or invite (64 hex characters) whose session or login this is; `null` for strangers. */
  readonly who: string | null;
  readonly method: string;
  /** With its query, such as `/v1/organisations/…/log?from=0`. */
  readonly path: string;
  /** `null` when there is none. */
  readonly body: unknown;
}

/** An answer to a call. A `Uint8Array` travels as it is, anything else as JSON. */
export interface HostileAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks the next attack, and behind the last one the real relay. */
export type Forward = (call: HostileCall) => Promise<HostileAnswer>;

/** What takes the place of a frame: nothing, frames, or bytes that are no frame. */
export type Instead<Frame> = Iterable<Frame | Uint8Array> | Promise<Iterable<Frame | Uint8Array>>;

/**
 * What a hostile relay does. Each hook left out changes nothing. Hooks of several attacks run in the order in
 * which they were added; frames of one link and direction wait for each other, so a slow hook delays them all.
 */
export interface Attack {
  /** The device or invite it is aimed at, as hex; left out: everybody. */
  readonly victim?: string;
  readonly toClient?: (frame: RelayFrame, link: HostileLink) => Instead<RelayFrame>;
  readonly toRelay?: (frame: ClientFrame, link: HostileLink) => Instead<ClientFrame>;
  readonly call?: (call: HostileCall, forward: Forward) => Promise<HostileAnswer>;
}
