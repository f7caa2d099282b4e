import { toHex, type GroupId, type OrgId } from '@keytide/crypto-core';
import type { GroupEntry } from '@keytide/relay-protocol';
import { bisect } from './bisect.ts';
import type { Announcement, AppendVerdict, EnvelopeAppend } from './entry-store.ts';
import type { EnvelopeVerdict, GroupLogs } from './group-logs.ts';

/** New entries of one group, consecutive from `firstSeq`: durable, and not yet told to anybody. */
export interface StoredRun {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly entries: readonly GroupEntry[];
}

/** Orders appends and stores them in batches. Promises resolve once the outcome is durable. */
export interface AppendQueue {
  /** One verdict an item, in order. @throws RelayError `database-failed`: the outcome is unknown */
  append(items: readonly EnvelopeAppend[]): Promise<readonly AppendVerdict[]>;
  /** @throws RelayError `database-failed`: the outcome is unknown */
  announce(announcement: Announcement): Promise<AppendVerdict>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/** What the queue works with. `stored` runs before the promises of the batch resolve, in the order of seqs. */
export interface AppendQueueOptions {
  readonly logs: Pick<GroupLogs, 'appendEnvelopes' | 'announceEpoch' | 'sealable'>;
  readonly lanes: number;
  readonly stored: (run: StoredRun) => void;
  /** An item turned out to be in the log already, at `seq`. */
  readonly repeated: (org: OrgId, group: GroupId, seq: number) => void;
}

const BATCH_ITEMS = 500;
const BATCH_BYTES = 1_048_576;

type Job = (
  | { readonly kind: 'append'; readonly item: EnvelopeAppend }
  | { readonly kind: 'announce'; readonly item: Announcement }
) & {
  readonly resolve: (verdict: AppendVerdict) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Group commit: a group always has the same lane, and a lane has one batch under way. What comes in
 * meanwhile makes the next batch, so a lone append never waits and a crowd shares a commit. There is no timer.
 */
export function createAppendQueue(options: AppendQueueOptions): AppendQueue {
  const lanes = Array.from({ length: options.lanes }, () => createLane(options));
  const held = new Map<OrgId, { readonly jobs: Job[]; readonly over: Promise<void> }>();

  function laneOf(group: GroupId): Lane {
    return lanes[Number.parseInt(group.slice(0, 8), 16) % lanes.length] as Lane;
  }

  /** To its lane; or, while its organisation's key is waited for, behind what waits for it already. */
  function add(job: Job): void {
    const { org, group } = job.item;
    const before = held.get(org);
    if (before !== undefined) return void before.jobs.push(job);
    const coming = options.logs.sealable(job.item);
    if (coming === null) return laneOf(group).add(job);
    // Not in a lane: who keeps the key may take long to answer, and the lane is that of other organisations too.
    const jobs = [job];
    const over = coming.then(
      () => {
        held.delete(org);
        for (const one of jobs) laneOf(one.item.group).add(one);
      },
      (error: unknown) => {
        held.delete(org);
        for (const one of jobs) one.reject(error);
      },
    );
    held.set(org, { jobs, over });
  }

  return {
    append: (items) =>
      Promise.all(
        items.map(
          (item) =>
            new Promise<AppendVerdict>((resolve, reject) => add({ kind: 'append', item, resolve, reject })),
        ),
      ),
    announce: (item) => new Promise((resolve, reject) => add({ kind: 'announce', item, resolve, reject })),
    async idle() {
      while (held.size > 0) await Promise.all(Array.from(held.values(), ({ over }) => over));
      await Promise.all(lanes.map((lane) => lane.idle()));
    },
  };
}

interface Lane {
  add(job: Job): void;
  idle(): Promise<void>;
}

function createLane(options: AppendQueueOptions): Lane {
  let waiting: Job[] = [];
  let working: Promise<void> | null = null;
  async function work(): Promise<void> {
    // One turn of the event loop's queue, so that the items of one frame share a batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const count = batchLength(waiting);
      const batch = waiting.slice(0, count);
      waiting = waiting.slice(count);
      // What the database refuses for one item alone must not cost its neighbours anything.
      await bisect(
        batch,
        (jobs) => settle(jobs, options),
        (job, error) => job.reject(error),
      );
    }
    working = null;
  }
  return {
    add(job) {
      waiting.push(job);
      working ??= work();
    },
    async idle() {
      while (working !== null) await working;
    },
  };
}

/** How many jobs from the front go together: an announcement goes alone, a message id once. */
function batchLength(jobs: readonly Job[]): number {
  const ids = new Set<string>();
  let sizeBytes = 0;
  for (const [index, { kind, item }] of jobs.entries()) {
    if (kind === 'announce') return Math.max(index, 1);
    const id = item.group + toHex(item.messageId);
    sizeBytes += item.envelope.length;
    if (index > 0 && (index === BATCH_ITEMS || sizeBytes > BATCH_BYTES || ids.has(id))) return index;
    ids.add(id);
  }
  return jobs.length;
}

async function settle(batch: readonly Job[], options: AppendQueueOptions): Promise<void> {
  const verdicts = await store(batch, options);
  tell(batch, verdicts, options);
  batch.forEach((job, index) => {
    const verdict = verdicts[index] as EnvelopeVerdict;
    if ('failed' in verdict) job.reject(verdict.failed);
    else job.resolve(verdict);
  });
}

async function store(
  batch: readonly Job[],
  { logs }: AppendQueueOptions,
): Promise<readonly EnvelopeVerdict[]> {
  const [first] = batch;
  if (first?.kind === 'announce') return [await logs.announceEpoch(first.item)];
  return logs.appendEnvelopes(batch.map(({ item }) => item as EnvelopeAppend));
}

/** Sorts what was stored into runs, one a group. */
function tell(
  batch: readonly Job[],
  verdicts: readonly EnvelopeVerdict[],
  options: AppendQueueOptions,
): void {
  const runs = new Map<string, { org: OrgId; group: GroupId; firstSeq: number; entries: GroupEntry[] }>();
  batch.forEach(({ kind, item }, index) => {
    const verdict = verdicts[index] as EnvelopeVerdict;
    const { org, group } = item;
    if ('refused' in verdict || 'failed' in verdict) return;
    if (verdict.repeated) return options.repeated(org, group, verdict.seq);
    const run = runs.get(org + group) ?? { org, group, firstSeq: verdict.seq, entries: [] };
    runs.set(org + group, run);
    run.entries.push(
      kind === 'announce'
        ? { kind: 'statement', bytes: item.statement }
        : { kind: 'envelope', bytes: item.envelope },
    );
  });
  for (const run of runs.values()) options.stored(run);
}
