import { rootOf, type GroupId, type OrgId, type Primitives, type Signer } from '@keytide/crypto-core';
import { signDeletionStatement } from '@keytide/key-directory/verify';
import type { EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';
import { forgetOver, type ForgetOverOptions } from './expiry.ts';
import type { GroupLogs } from './group-logs.ts';
import { keepTrees, type KeepTreesOptions } from './keep-trees.ts';
import { shortId, type Log } from './log-event.ts';
import { frontierOf } from './log-tree.ts';

/** Forgets what is over of group logs, again and again; in between it keeps the trees of days that are over. */
export interface LogForgetting {
  /** Does at once what is due; a call while one is under way is that one. Resolves to whether nothing was left. */
  round(): Promise<boolean>;
  /** Whether the last round left something. */
  readonly isBehind: boolean;
  /** Ends the rounds: one that is under way does no further day. Resolves when it has ended. */
  stop(): Promise<void>;
}

/** What `startLogForgetting` works with. */
export interface LogForgettingOptions extends Omit<ForgetOverOptions, 'failed' | 'isStopped'> {
  readonly store: ForgetOverOptions['store'] &
    KeepTreesOptions['store'] &
    Pick<EntryStore, 'putDeletion' | 'listDeletions'>;
  readonly logs: ForgetOverOptions['logs'] & KeepTreesOptions['logs'] & Pick<GroupLogs, 'readFloor'>;
  readonly primitives: Primitives;
  /** With the relay's key, which signs what was forgotten. */
  readonly signer: Signer;
  /** Whether the clock is one to forget by. */
  readonly mayForget: () => Promise<boolean>;
  /** Tells ahead of what the next rounds forget, until `isStopped`. */
  readonly warn: (isStopped: () => boolean) => Promise<void>;
  readonly log: Log;
}

const EVERY_MS = 3_600_000;

/** The first round begins now, the next each hour. A round that fails is told, and made up for by the next. */
export function startLogForgetting(options: LogForgettingOptions): LogForgetting {
  const { log, store, logs, primitives, signer, clock, mayForget } = options;
  let running: Promise<boolean> | null = null;
  let keeping: Promise<void> | null = null;
  let isBehind = false;
  const stopping = new AbortController();
  const { signal } = stopping;
  const isStopped = (): boolean => signal.aborted;

  function told(where: string, error: unknown): void {
    log({ event: 'failed', where, code: error instanceof RelayError ? error.code : 'bug' });
  }

  async function forget(): Promise<boolean> {
    isBehind = false;
    const failed = (error: unknown): void => {
      isBehind = true;
      told('forget-logs', error);
    };
    try {
      if (!(await mayForget())) {
        isBehind = true;
        log({ event: 'failed', where: 'forget-logs', code: 'clock-ahead' });
        return false;
      }
      const gone = await forgetOver({
        ...options,
        failed: (_org, error) => failed(error),
        isStopped,
      });
      for (const { org, group, firstSeq, lastSeq } of gone) {
        log({ event: 'forgotten', org: shortId(org), group: shortId(group), firstSeq, lastSeq });
        await sign(org, group).catch(failed);
      }
      await options
        .warn(isStopped)
        // The next round looks again; nothing stays longer because of it.
        .catch((error: unknown) => told('warn', error));
    } catch (error) {
      failed(error);
    }
    return !isBehind;
  }

  /** Says what is gone since the last time that it was said: also what a relay had no time to say. */
  async function sign(org: OrgId, group: GroupId): Promise<void> {
    const floor = await logs.readFloor(org, group);
    if (floor === null) return;
    const { firstSeq: next } = floor;
    const said = (await store.listDeletions(org)).find((deletion) => deletion.group === group);
    const [firstSeq, lastSeq] = [(said?.lastSeq ?? 0) + 1, next - 1];
    if (firstSeq > lastSeq) return;
    const root = rootOf(primitives, frontierOf({ size: lastSeq, frontier: floor.frontier }));
    const statement = { org, group, firstSeq, lastSeq, root, deletedMs: clock.now() };
    await store.putDeletion(org, group, lastSeq, signDeletionStatement(primitives, signer, statement));
  }

  function round(): Promise<boolean> {
    running ??= forget().finally(() => {
      running = null;
    });
    return running;
  }

  /** Forgetting comes first, and waits for no tree: what is not kept by then, it reads itself. */
  async function tick(): Promise<void> {
    await round();
    const failed = (error: unknown): void => told('keep-trees', error);
    keeping ??= keepTrees({ ...options, failed: (_org, error) => failed(error), signal })
      .catch(failed)
      .finally(() => {
        keeping = null;
      });
  }

  void tick();
  const timer = setInterval(() => void tick(), EVERY_MS);
  return {
    round,
    get isBehind() {
      return isBehind;
    },
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
      await keeping;
    },
  };
}
