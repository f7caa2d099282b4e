import { groupId, orgId } from '@keytide/crypto-core';
import { decodeRelayFrame } from '@keytide/relay-protocol';
import { seededRandom } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { createGroupFeeds } from '../../src/cluster/group-feeds.ts';
import type { BusMessage } from '../../src/cluster/bus-message.ts';
import { createHub, type Follower } from '../../src/hub.ts';

const random = seededRandom('feeds');
const org = orgId(random(32));
const group = groupId(random(32));
const entry = (seq: number) => ({ seq, kind: 'envelope' as const, bytes: Uint8Array.of(seq) });

/** Feeds over a log that grows elsewhere, and what happened in which order. */
function underTest() {
  const log = { head: 0, isHearing: true, isSlow: null as Promise<void> | null };
  const events: string[] = [];
  const published: BusMessage[] = [];
  const feeds = createGroupFeeds({
    hub: createHub(),
    async readPage(_org, _group, after) {
      events.push(`read ${after}`);
      if (log.isSlow !== null) await log.isSlow;
      const count = Math.min(2, log.head - after);
      const entries = Array.from({ length: count }, (_, index) => entry(after + 1 + index));
      return { entries, headSeq: log.head, epoch: 1 };
    },
    async checked() {
      events.push('checked');
      await Promise.resolve();
    },
    publish: (message) => void published.push(message),
    isHearing: () => log.isHearing,
  });
  const follower = (name: string): Follower => ({
    offer: ({ firstSeq, lastSeq, frame }) => {
      expect(decodeRelayFrame(frame)).toMatchObject({ type: 'entries', firstSeq });
      events.push(`${name} ${firstSeq}-${lastSeq}`);
    },
    mention: (seq) => void events.push(`${name} hears of ${seq}`),
    pass: () => void events.push(`${name} live`),
  });
  const stored = (...seqs: number[]): void =>
    feeds.stored({ org, group, firstSeq: seqs[0] as number, entries: seqs.map(entry) });
  return { log, events, published, feeds, follower, stored };
}

test('what another node stored is read once for all who follow, and checked before it goes out', async () => {
  const { log, events, feeds, follower } = underTest();
  for (const name of ['a', 'b']) feeds.follow(org, group, follower(name));
  feeds.saw(org, group, 0);
  log.head = 3;
  feeds.wake(org, group, 3);
  feeds.wake(org, group, 2);
  await expect
    .poll(() => events)
    .toEqual(['read 0', 'checked', 'a 1-2', 'b 1-2', 'read 2', 'checked', 'a 3-3', 'b 3-3']);
  feeds.wake(org, group, 3);
  expect(events).toHaveLength(8);
});

test('what this node stored goes out from memory, unless something of another node is before it', async () => {
  const { log, events, published, feeds, follower, stored } = underTest();
  feeds.follow(org, group, follower('a'));
  feeds.saw(org, group, 0);
  stored(1);
  expect(events).toEqual(['a 1-1']);
  log.head = 3;
  stored(3);
  await expect.poll(() => events).toEqual(['a 1-1', 'read 1', 'checked', 'a 2-3']);
  expect(published).toEqual([1, 3].map((seq) => ({ type: 'head', org, group, seq })));
});

test('while the others are not heard, nothing goes out before it was checked', async () => {
  const { log, events, feeds, follower, stored } = underTest();
  feeds.follow(org, group, follower('a'));
  feeds.saw(org, group, 0);
  log.isHearing = false;
  log.head = 1;
  stored(1);
  expect(events).not.toContain('a 1-1');
  await expect.poll(() => events).toEqual(['read 0', 'checked', 'a 1-1']);
});

test('whoever reads the first page of a log hears of what comes meanwhile', () => {
  const { events, feeds, follower } = underTest();
  feeds.follow(org, group, follower('a'));
  feeds.wake(org, group, 5);
  expect(events).toEqual(['a hears of 5']);
});

test('a word of entries that the log does not have keeps nothing from those that come', async () => {
  const { log, events, feeds, follower, stored } = underTest();
  feeds.follow(org, group, follower('a'));
  feeds.saw(org, group, 0);
  feeds.wake(org, group, 2 ** 50);
  await expect.poll(() => events.at(-1)).toBe('a hears of 0');
  stored(1);
  expect(events.at(-1)).toBe('a 1-1');
  log.head = 2;
  feeds.wake(org, group, 2);
  await expect.poll(() => events.at(-1)).toBe('a 2-2');
});

test('what somebody found in the log is news for the others', async () => {
  const { log, events, feeds, follower } = underTest();
  feeds.follow(org, group, follower('a'));
  feeds.saw(org, group, 0);
  log.head = 2;
  feeds.saw(org, group, 2);
  await expect.poll(() => events).toEqual(['read 0', 'checked', 'a 1-2']);
});

test('more that comes while a page is read is read after it, and nobody is read for when all have gone', async () => {
  const { log, events, feeds, follower } = underTest();
  const leave = feeds.follow(org, group, follower('a'));
  feeds.saw(org, group, 0);
  let goOn = (): void => undefined;
  log.isSlow = new Promise((resolve) => {
    goOn = resolve;
  });
  log.head = 1;
  feeds.wake(org, group, 1);
  log.head = 3;
  feeds.wake(org, group, 3);
  goOn();
  await expect.poll(() => events.at(-1)).toBe('a 3-3');
  leave();
  leave();
  expect(feeds.followed()).toEqual([]);
  feeds.wake(org, group, 9);
  expect(events.at(-1)).toBe('a 3-3');
});
