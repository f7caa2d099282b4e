import type { GroupId } from '@keytide/crypto-core';
import { encodeRelayFrame, type RelayFrame } from '@keytide/relay-protocol';
import type { Follower, LiveRun } from './hub.ts';
import type { EntriesPage } from './group-logs.ts';

/** The sending side of a socket, as far as a subscription needs it. */
export interface Outlet {
  send(frame: Uint8Array): void;
  /** More is waiting to be sent than one socket may hold. */
  isLagging(): boolean;
  /** So much is waiting to be sent that what is only worth something now would come too late. */
  isBehind(): boolean;
  /** Resolves when most of what was waiting has gone out, or the socket is closed. */
  drained(): Promise<void>;
}

/** What a subscription works with. */
export interface SubscriptionOptions {
  readonly group: GroupId;
  /** The newest seq that the client has. */
  readonly afterSeq: number;
  readonly outlet: Outlet;
  readonly readPage: (afterSeq: number) => Promise<EntriesPage>;
  /** So many entries were given to the outlet. */
  readonly delivered: (count: number) => void;
  /** The log cannot be read; the subscription has stopped. */
  readonly failed: (error: unknown) => void;
}

/** A client's place in a group's log. */
export interface Subscription extends Follower {
  /** Reads the log to its end, then goes live. Call it once it follows the hub. */
  start(): void;
  stop(): void;
}

/**
 * Sends a group's log in order, with no gap and no duplicate. Nothing is queued here: whoever is not live reads
 * the log from the cursor. While it reads, live runs only raise `known`; it goes live when the cursor has
 * reached everything it knows of, and back to reading when the socket lags or a run does not fit the cursor.
 */
export function createSubscription(options: SubscriptionOptions): Subscription {
  const { group, outlet } = options;
  let cursor = options.afterSeq;
  let known = 0;
  /** How often something was heard of. */
  let heard = 0;
  let live = false;
  let stopped = false;
  let isAnswered = false;

  function send(frame: RelayFrame): void {
    outlet.send(encodeRelayFrame(frame));
  }

  function fallBack(): void {
    if (stopped || !live) return;
    live = false;
    start();
  }

  function start(): void {
    catchUp().catch((error: unknown) => {
      if (stopped) return;
      stopped = true;
      options.failed(error);
    });
  }

  async function catchUp(): Promise<void> {
    while (!live) {
      await outlet.drained();
      if (stopped) return;
      const before = heard;
      const page = await options.readPage(cursor);
      if (stopped) return;
      if (!isAnswered && page.headSeq > cursor) send({ type: 'head', group, headSeq: page.headSeq });
      isAnswered = true;
      sendPage(page);
      // What was heard of before the log was read, and is not in it, is not there.
      known = page.entries.length === 0 && heard === before ? page.headSeq : Math.max(known, page.headSeq);
      // A client ahead of the log has seen a log that this relay lost; it can tell by headSeq.
      if (page.entries.length === 0) cursor = page.headSeq;
      if (cursor < known) continue;
      live = true;
      send({ type: 'caught-up', group, headSeq: cursor });
    }
  }

  function sendPage({ entries, headSeq }: EntriesPage): void {
    const first = entries[0]?.seq ?? headSeq + 1;
    if (first > cursor + 1) send({ type: 'gap', group, firstAvailableSeq: first });
    if (entries.length === 0) return;
    send({ type: 'entries', group, firstSeq: first, entries });
    cursor = first + entries.length - 1;
    options.delivered(entries.length);
  }

  return {
    start,
    offer(run: LiveRun) {
      heard += 1;
      known = Math.max(known, run.lastSeq);
      if (!live || run.lastSeq <= cursor) return;
      if (run.firstSeq !== cursor + 1 || outlet.isLagging()) return fallBack();
      outlet.send(run.frame);
      options.delivered(run.lastSeq - cursor);
      cursor = run.lastSeq;
    },
    mention(seq) {
      heard += 1;
      known = Math.max(known, seq);
      if (seq > cursor) fallBack();
    },
    pass(frame) {
      // Missed and not queued: the next one says it better.
      if (!stopped && !outlet.isBehind()) outlet.send(frame);
    },
    stop() {
      stopped = true;
    },
  };
}
