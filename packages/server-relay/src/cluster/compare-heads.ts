import type { NodeStore } from '../node-store.ts';
import type { GroupFeeds } from './group-feeds.ts';

/** Asks the database now and then how far group logs go, so that a lost wake-up costs time and nothing else. */
export interface HeadComparison {
  /** Asks now; what fails is tried again at the next time. */
  now(): void;
  stop(): void;
}

/** What `compareHeads` works with. */
export interface HeadComparisonOptions {
  readonly store: Pick<NodeStore, 'readGroupHeads'>;
  readonly feeds: Pick<GroupFeeds, 'followed' | 'wake'>;
  /** While others are not heard, it asks every `silentMs`, otherwise every `everyMs`. */
  readonly isHearing: () => boolean;
  readonly everyMs: number;
  readonly silentMs: number;
}

/** Groups of one question. */
const AT_ONCE = 1_000;

/** Compares from now on until `stop`. */
export function compareHeads(options: HeadComparisonOptions): HeadComparison {
  const { store, feeds, everyMs, silentMs } = options;
  let comparedMs = performance.now();
  let comparing: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (!options.isHearing() || performance.now() - comparedMs >= everyMs) now();
  }, silentMs);

  async function compare(): Promise<void> {
    comparedMs = performance.now();
    const groups = feeds.followed();
    for (let at = 0; at < groups.length; at += AT_ONCE)
      for (const { org, group, headSeq } of await store.readGroupHeads(groups.slice(at, at + AT_ONCE)))
        feeds.wake(org, group, headSeq);
  }

  function now(): void {
    comparing ??= compare()
      .catch(() => undefined)
      .finally(() => {
        comparing = null;
      });
  }

  return { now, stop: () => clearInterval(timer) };
}
