import type { GroupId, OrgId } from '@keytide/crypto-core';
import { encodeRelayFrame } from '@keytide/relay-protocol';
import type { StoredRun } from '../append-queue.ts';
import type { EntriesPage } from '../group-logs.ts';
import type { Follower, Hub } from '../hub.ts';
import type { GroupPlace } from '../node-store.ts';
import type { BusMessage } from './bus-message.ts';

/**
 * Brings the groups that somebody follows here up to their newest entry. What this node stored goes out from memory;
 * what another one stored is read from the log once, and encoded once for all who follow.
 */
export interface GroupFeeds extends Pick<Hub, 'follow'> {
  /** This node has stored a run. */
  stored(run: StoredRun): void;
  /** The log of a group is known to reach `seq`. */
  wake(org: OrgId, group: GroupId, seq: number): void;
  /** A page of the log was read for somebody who follows. */
  saw(org: OrgId, group: GroupId, headSeq: number): void;
  /** Gives a frame that is stored nowhere to all who follow but `from`, here and at other nodes. */
  pass(where: GroupPlace, frame: Uint8Array, from: Follower | null): void;
  /** The groups that somebody follows. */
  followed(): readonly GroupPlace[];
}

/** What feeds work with. */
export interface GroupFeedsOptions {
  readonly hub: Hub;
  readonly readPage: (org: OrgId, group: GroupId, afterSeq: number) => Promise<EntriesPage>;
  /** Resolves once everybody who lost their right to see this organisation's content as of now was cut off. */
  readonly checked: (org: OrgId) => Promise<void>;
  /** Tells the other nodes. */
  readonly publish: (message: BusMessage) => void;
  /** Whether the others are heard. While they are not, nothing goes out before `checked`. */
  readonly isHearing: () => boolean;
}

interface Feed extends GroupPlace {
  followers: number;
  /** All live followers have or were offered everything up to here; `null` before the first page was read. */
  at: number | null;
  /** The log is known to reach this. */
  wanted: number;
  isReading: boolean;
}

/** Feeds of groups that nobody follows yet. */
export function createGroupFeeds(options: GroupFeedsOptions): GroupFeeds {
  const { hub, readPage, checked, publish } = options;
  const feeds = new Map<string, Feed>();

  function want(feed: Feed, seq: number): void {
    feed.wanted = Math.max(feed.wanted, seq);
    // Whoever reads its first page reads on until it has this.
    if (feed.at === null) return hub.mention(feed.org, feed.group, seq);
    if (feed.isReading) return;
    feed.isReading = true;
    read(feed).then(
      () => {
        feed.isReading = false;
        // Somebody may have wanted more just as the reading ended.
        if (feed.followers > 0 && feed.at !== null && feed.at < feed.wanted) want(feed, feed.wanted);
      },
      () => {
        feed.isReading = false;
        // Each follower reads for itself, and learns what is wrong.
        hub.mention(feed.org, feed.group, feed.wanted);
      },
    );
  }

  async function read(feed: Feed): Promise<void> {
    const { org, group } = feed;
    while (feed.at !== null && feed.at < feed.wanted && feed.followers > 0) {
      const { entries, headSeq } = await readPage(org, group, feed.at);
      await checked(org);
      const firstSeq = entries[0]?.seq;
      if (firstSeq !== feed.at + 1) {
        // A floor above us, or nothing there: followers find out from the log.
        hub.mention(org, group, headSeq);
        // Nor does the log have what was wanted: whoever said so was wrong, and others are still to be heard.
        feed.at = Math.max(feed.at, headSeq);
        feed.wanted = feed.at;
      } else {
        hub.publish({ org, group, firstSeq, entries });
        feed.at = firstSeq + entries.length - 1;
      }
    }
  }

  return {
    stored(run) {
      const { org, group } = run;
      const feed = feeds.get(org + group);
      const lastSeq = run.firstSeq + run.entries.length - 1;
      publish({ type: 'head', org, group, seq: lastSeq });
      const isNext = feed === undefined || feed.at === null || run.firstSeq === feed.at + 1;
      if (feed === undefined || (isNext && !feed.isReading && options.isHearing())) {
        if (feed !== undefined) feed.at = lastSeq;
        return hub.publish(run);
      }
      want(feed, lastSeq);
    },
    wake(org, group, seq) {
      const feed = feeds.get(org + group);
      if (feed !== undefined && seq > (feed.at ?? 0)) want(feed, seq);
    },
    saw(org, group, headSeq) {
      const feed = feeds.get(org + group);
      if (feed === undefined) return;
      if (feed.at === null) feed.at = headSeq;
      else if (headSeq > feed.at) want(feed, headSeq);
    },
    pass({ org, group }, frame, from) {
      publish({ type: 'ephemeral', org, group, frame });
      hub.pass(org, group, encodeRelayFrame({ type: 'ephemeral', group, frame }), from);
    },
    followed: () => [...feeds.values()],
    follow(org, group, follower: Follower) {
      const key = org + group;
      const feed = feeds.get(key) ?? { org, group, followers: 0, at: null, wanted: 0, isReading: false };
      feeds.set(key, feed);
      feed.followers += 1;
      const unfollow = hub.follow(org, group, follower);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        unfollow();
        feed.followers -= 1;
        if (feed.followers === 0) feeds.delete(org + group);
      };
    },
  };
}
