import type { GroupId } from '@keytide/crypto-core';
import type { GroupEntry, RelayFrame } from '@keytide/relay-protocol';
import type { HostileRelay } from './relay.ts';

/** A group's log as one device is shown it. */
export interface ForgedGroupLog {
  /** Adds entries that the true log does not have, now. */
  insert(...entries: readonly GroupEntry[]): void;
  /** How long the shown log is. */
  readonly size: number;
}

/**
 * From now on shows one device a log of the group that the attacker writes. `rewrite` gets each new entry of the
 * true log with its true seq, once and in order, and answers what stands in its place: `[]` withholds it, two
 * entries insert one. The shown entries are numbered without a gap, also across reconnects, so that no number
 * gives the attack away.
 *
 * The attacker needs nothing to withhold, repeat or reorder, and stolen keys to write. A sound client goes by
 * signatures, each sender's chain, and what others say to have been shown; never by the numbers.
 */
export function forgeGroupLog(
  relay: HostileRelay,
  victim: string,
  rewrite: (entry: GroupEntry, seq: number) => readonly GroupEntry[] = (entry) => [entry],
): ForgedGroupLog {
  const given = relay.givenTo(victim);
  const start = given?.seq ?? 0;
  const shown: GroupEntry[] = [];
  let taken = start;
  let group: GroupId | null = given?.group ?? null;

  relay.attack({
    victim,
    toClient(frame) {
      if (frame.type === 'caught-up') {
        group = frame.group;
        return [{ ...frame, headSeq: start + shown.length }];
      }
      if (frame.type !== 'entries') return [frame];
      group = frame.group;
      const firstSeq = start + shown.length + 1;
      for (const entry of frame.entries.slice(Math.max(0, taken + 1 - frame.firstSeq))) {
        taken += 1;
        shown.push(...rewrite(entry, taken));
      }
      return entriesFrames(group, firstSeq, shown.slice(firstSeq - start - 1));
    },
    toRelay(frame, link) {
      if (frame.type !== 'subscribe') return [frame];
      group = frame.group;
      const missed = shown.slice(frame.afterSeq - start);
      for (const entries of entriesFrames(group, frame.afterSeq + 1, missed)) link.toClient(entries);
      return [{ ...frame, afterSeq: taken }];
    },
  });

  return {
    get size() {
      return start + shown.length;
    },
    insert(...entries) {
      const firstSeq = start + shown.length + 1;
      shown.push(...entries);
      if (group === null) throw new Error('nothing of the group has passed yet');
      for (const link of relay.linksOf(victim)) {
        for (const frame of entriesFrames(group, firstSeq, entries)) link.toClient(frame);
      }
    },
  };
}

/** Fits the limits of one frame for entries of up to 8 KiB. */
const ENTRIES_PER_FRAME = 400;

function entriesFrames(group: GroupId, firstSeq: number, entries: readonly GroupEntry[]): RelayFrame[] {
  const frames: RelayFrame[] = [];
  for (let at = 0; at < entries.length; at += ENTRIES_PER_FRAME) {
    const part = entries.slice(at, at + ENTRIES_PER_FRAME);
    frames.push({ type: 'entries', group, firstSeq: firstSeq + at, entries: part });
  }
  return frames;
}
