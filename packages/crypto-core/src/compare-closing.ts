import { equalBytes } from './bytes.ts';
import type { MissingRun } from './chain.ts';
import type { Closing } from './epoch-statement.ts';
import type { DeviceId } from './ids.ts';
import type { OpenedMessage } from './unseal.ts';

/** What a receiver holds of a group, in whatever form it keeps it. */
export interface HeldLog {
  /** Entries of the group's log, without gaps. */
  readonly size: number;
  /** RFC 9162 root over the first `size` entries, 32 bytes; `null`: not kept. */
  rootAt(size: number): Uint8Array | null;
  /** The sender's last counter, -1 for none; `'unknown'` where what came before could not be read. */
  lastCounterOf(device: DeviceId): number | 'unknown';
  /** The link of a message that is held, 32 bytes; `null`: not held, or its link is not kept. */
  linkOf(device: DeviceId, counter: number): Uint8Array | null;
}

/** Messages of one sender that were never received: their counters, both ends included. */
export interface MissingMessages extends MissingRun {
  readonly device: DeviceId;
}

/** Two messages of one sender with one counter: what a closing names, and what is held. Links of 32 bytes. */
export interface Contradiction {
  readonly device: DeviceId;
  readonly counter: number;
  readonly claimed: Uint8Array;
  readonly held: Uint8Array;
}

/** What a closing names and the receiver does not hold, or holds otherwise. */
export interface ClosingDifference {
  /** After the sender's last message held; what was skipped before it, `acceptMessage` has told. */
  readonly missing: readonly MissingMessages[];
  /** Positions in the group's log, from 1. */
  readonly missingEntries: MissingRun | null;
  readonly contradictions: readonly Contradiction[];
  /** Whether the group's log at the closing's size has another root: the relay showed two logs. */
  readonly isForked: boolean;
}

/**
 * Compares what a member signed of the group with what a receiver holds (docs/spec/heartbeat.md): the one
 * comparison for closings, heartbeats and the heads of messages. Pure. What is missing now may be on its way:
 * compare again before calling it withheld.
 */
export function compareClosing(held: HeldLog, closing: Closing): ClosingDifference {
  const missing: MissingMessages[] = [];
  const contradictions: Contradiction[] = [];
  for (const { device, counter, link } of closing.senders) {
    const last = held.lastCounterOf(device);
    if (last !== 'unknown' && counter > last) missing.push({ device, from: last + 1, to: counter });
    const heldLink = held.linkOf(device, counter);
    if (heldLink !== null && !equalBytes(heldLink, link))
      contradictions.push({ device, counter, claimed: link, held: heldLink });
  }
  const { size, root } = closing.group;
  const heldRoot = size <= held.size ? held.rootAt(size) : null;
  return {
    missing,
    missingEntries: size > held.size ? { from: held.size + 1, to: size } : null,
    contradictions,
    isForked: heldRoot !== null && !equalBytes(heldRoot, root),
  };
}

/** What a message says of the group's log before it, as a closing says it. */
export function closingOfMessage({ sender, counter, previousLink, heads }: OpenedMessage): Closing {
  const before = { device: sender, counter: counter - 1, link: previousLink };
  return { group: heads.group, senders: counter === 0 ? [] : [before] };
}
