import type { Tell } from './agent-event.ts';
import type { ExportingDevice } from './exporting-device.ts';
import type { Round } from './round.ts';
import { runRound, type Outcome } from './run-round.ts';
import { archived, byClock, decide, failed, putOff, succeeded, type Schedule } from './schedule.ts';
import { hasWork } from './series.ts';
import type { AgentMemory } from './state.ts';

/** Time and chance, which tests make their own. */
export interface AgentTime {
  now(): number;
  /** Resolves after so long, or when the signal aborts. Must not reject. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

/** What an agent works with. */
export interface AgentOptions {
  readonly schedule: Schedule;
  readonly choice: Pick<
    Round,
    'destinations' | 'needed' | 'acknowledge' | 'recipients' | 'set' | 'fullAfter'
  >;
  readonly memory: AgentMemory;
  readonly time: AgentTime;
  readonly signal: AbortSignal;
  readonly tell: Tell;
  readonly codeOf: Round['codeOf'];
  /** Whether trying again cannot help, or does harm. */
  isFinal(error: unknown): boolean;
  /** Opens the device, connects it, works with it and closes it. */
  withDevice<T>(work: (device: ExportingDevice) => Promise<T>): Promise<T>;
}

/** A clock can be set, and a machine sleep: so often it is looked at again. */
const LOOK_MS = 30_000;

/**
 * Makes archives on schedule until the signal aborts, one round after the other.
 * @throws what is final of `withDevice`
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { schedule, memory, time, signal } = options;
  while (!signal.aborted) {
    const nowMs = time.now();
    const table = byClock(schedule, memory.state.table, nowMs);
    const { doneMs, retryAtMs } = memory.state.table;
    if (table.doneMs !== doneMs || table.retryAtMs !== retryAtMs) await keep(options, { table });
    const decision = decide(schedule, table, { nowMs, hasWork: hasWork(memory.state.series) });
    if (decision.kind === 'wait') {
      await time.wait(Math.min(decision.ms, LOOK_MS), signal);
      continue;
    }
    const outcome = await runOnce(options, decision.isDue);
    if (outcome !== null && options.isFinal(outcome.cause)) throw outcome.cause;
  }
}

/**
 * One round, now, and remembers what came of it.
 * @returns `null` when it was stopped: then it goes on the next time
 */
export async function runOnce(options: AgentOptions, isDue: boolean): Promise<Outcome | null> {
  const { schedule, choice, memory, time, signal, tell, codeOf } = options;
  const beganMs = time.now();
  const onArchived = (isThere: boolean): Promise<void> => {
    const { table } = memory.state;
    return memory.keep({ table: isThere ? archived(schedule, table, beganMs) : { ...table, doneMs: null } });
  };
  let outcome: Outcome;
  try {
    outcome = await options.withDevice((device) =>
      runRound({ ...choice, device, memory, isDue, onArchived, nowMs: beganMs, signal, tell, codeOf }),
    );
  } catch (error) {
    if (signal.aborted) return null;
    outcome = { code: codeOf(error), cause: error, isPutOff: false };
  }
  const { table } = memory.state;
  const nowMs = time.now();
  const { code, isPutOff } = outcome;
  if (code === null) {
    await keep(options, { table: succeeded(table), successMs: nowMs, failure: null });
    tell({ event: 'done' });
    return outcome;
  }
  const later = isPutOff ? putOff(table) : failed(table, nowMs, time.random());
  await keep(options, { table: later, failure: code });
  const { retryAtMs } = later;
  const retrySeconds = retryAtMs === null ? null : Math.ceil((retryAtMs - nowMs) / 1000);
  tell({ event: 'failed', code, retrySeconds });
  return outcome;
}

/** Without room for it on the disk the agent goes on: it is remembered until the process ends. */
async function keep(
  { memory, tell, codeOf }: AgentOptions,
  changed: Parameters<AgentMemory['keep']>[0],
): Promise<void> {
  try {
    await memory.keep(changed);
  } catch (error) {
    tell({ event: 'failed', code: codeOf(error), retrySeconds: null });
  }
}
