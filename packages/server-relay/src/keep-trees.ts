import { setTimeout as wait } from 'node:timers/promises';
import { concatBytes, type GroupId, type OrgId, type Primitives } from '@keytide/crypto-core';
import type { Clock } from './clock.ts';
import type { DayTree, EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';
import type { GroupLogs } from './group-logs.ts';
import { growTree, keptTree, type TreeSource } from './log-tree.ts';
import { dayOf } from './retention.ts';

/** What `keepTrees` works with. */
export interface KeepTreesOptions {
  readonly store: Pick<EntryStore, 'listLogOrgs' | 'listDayTrees' | 'readTree' | 'readFloor' | 'keepTree'>;
  readonly logs: Pick<GroupLogs, 'readEntries'>;
  readonly primitives: Primitives;
  readonly clock: Clock;
  /** Some trees of an organisation could not be kept; the others go on. */
  readonly failed: (org: OrgId, error: unknown) => void;
  /** Ends it after the page that is read: the rest is left for the next time. */
  readonly signal: AbortSignal;
  /** Entries after which a tree is kept in the middle of a day: whoever ends there loses no more. Default: 2,000. */
  readonly step?: number;
}

const STEP = 2000;
/** For each part of its time in which it reads, as many in which it does not. */
const RESTS = 3;
const MOST_REST_MS = 1000;

/**
 * Reads every day of group logs that is over, and keeps its tree: so that nothing has to be read when it is forgotten
 * (docs/spec/floor.md). A page is in memory at a time; nothing is lost where this ends at any point, or runs twice.
 * @throws RelayError `database-failed` where the organisations cannot be listed
 */
export async function keepTrees(options: KeepTreesOptions): Promise<void> {
  const { store, failed, signal } = options;
  for (const org of await store.listLogOrgs()) {
    if (signal.aborted) return;
    await keepTreesOf(options, org).catch((error: unknown) => failed(org, error));
  }
}

async function keepTreesOf(options: KeepTreesOptions, org: OrgId): Promise<void> {
  const { store, clock, signal } = options;
  const today = dayOf(clock.now());
  const damaged = new Map<GroupId, RelayError>();
  let after: DayTree | null = null;
  do {
    const days: readonly DayTree[] = await store.listDayTrees(org, today, after);
    for (const day of days) {
      if (signal.aborted) return;
      // Its later days grow from the same place.
      if (damaged.has(day.group)) continue;
      const before = await store.readFloor(org, day.group);
      await keepTree(options, org, day).catch(async (error: unknown) => {
        // What is damaged is no reason for the trees of other groups to wait.
        if (!(error instanceof RelayError) || error.code !== 'data-damaged') throw error;
        const now = await store.readFloor(org, day.group);
        // What was to be read was forgotten meanwhile.
        if (now?.firstSeq === before?.firstSeq) damaged.set(day.group, error);
      });
    }
    after = days.at(-1) ?? null;
  } while (after !== null);
  for (const error of damaged.values()) throw error;
}

async function keepTree(
  { store, logs, primitives, signal, step = STEP }: KeepTreesOptions,
  org: OrgId,
  { group, firstSeq, lastSeq }: DayTree,
): Promise<void> {
  const source: TreeSource = {
    ...{ store, primitives, signal },
    readEntries: (...at) => unhurried(logs, at, signal),
  };
  let tree = await keptTree(source, { org, group }, lastSeq);
  // Said when the day was forgotten that did not open.
  if (tree === null) return;
  while (tree.size < lastSeq && !signal.aborted) {
    tree = await growTree(source, { org, group }, tree, Math.min(lastSeq, tree.size + step));
    const { size, hashes } = tree;
    await store.keepTree(org, group, firstSeq, { size, frontier: concatBytes(...hashes) });
  }
}

async function unhurried(
  logs: KeepTreesOptions['logs'],
  at: Parameters<GroupLogs['readEntries']>,
  signal: AbortSignal,
): ReturnType<GroupLogs['readEntries']> {
  const startMs = performance.now();
  const page = await logs.readEntries(...at);
  const restMs = Math.min(RESTS * (performance.now() - startMs), MOST_REST_MS);
  // Whoever ends it waits for no rest, and what was read counts.
  await wait(restMs, undefined, { signal }).catch(() => undefined);
  return page;
}
