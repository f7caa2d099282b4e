import type { GroupId, OrgId } from '@keytide/crypto-core';
import { encodeRelayFrame } from '@keytide/relay-protocol';
import type { StoredRun } from './append-queue.ts';

/** A run of new entries as it goes out: encoded once, whatever the number of receivers. */
export interface LiveRun {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly frame: Uint8Array;
}

/** Somebody who follows a group. */
export interface Follower {
  offer(run: LiveRun): void;
  /** The log is known to reach `seq`. */
  mention(seq: number): void;
  /** Is given a frame that is stored nowhere, and may let it go. */
  pass(frame: Uint8Array): void;
}

/** Brings stored entries to those who follow their group, inside this process. */
export interface Hub {
  publish(run: StoredRun): void;
  mention(org: OrgId, group: GroupId, seq: number): void;
  /** Gives a frame that is stored nowhere to all who follow but `from`. */
  pass(org: OrgId, group: GroupId, frame: Uint8Array, from: Follower | null): void;
  /** Follows until the returned function is called. */
  follow(org: OrgId, group: GroupId, follower: Follower): () => void;
}

/** A hub without followers. */
export function createHub(): Hub {
  const followers = new Map<string, Set<Follower>>();
  return {
    publish({ org, group, firstSeq, entries }) {
      const receivers = followers.get(org + group);
      if (receivers === undefined) return;
      const frame = encodeRelayFrame({ type: 'entries', group, firstSeq, entries });
      const run = { firstSeq, lastSeq: firstSeq + entries.length - 1, frame };
      for (const follower of receivers) follower.offer(run);
    },
    mention(org, group, seq) {
      for (const follower of followers.get(org + group) ?? []) follower.mention(seq);
    },
    pass(org, group, frame, from) {
      for (const follower of followers.get(org + group) ?? []) if (follower !== from) follower.pass(frame);
    },
    follow(org, group, follower) {
      const key = org + group;
      const mates = followers.get(key) ?? new Set();
      followers.set(key, mates.add(follower));
      return () => {
        mates.delete(follower);
        if (mates.size === 0 && followers.get(org + group) === mates) followers.delete(org + group);
      };
    },
  };
}
