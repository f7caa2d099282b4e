import { isoTime } from '../timestamps.ts';
import type { Round } from './round.ts';
import { settleAll } from './settle-archive.ts';
import { isHopeless, takeOut } from './take-out.ts';

/** What a round has come to. */
export interface Outcome {
  /** Why something is left to do; `null` when nothing is. */
  readonly code: string | null;
  /** What stopped it, if that was an error. */
  readonly cause: unknown;
  /** Whether trying again before the next archive is due would only repeat it. */
  readonly isPutOff: boolean;
}

/**
 * One round: goes on with the archive that was begun, or begins the one that is due; then, for every archive that is
 * not done with, copies and verifies it at each destination, and only then tells the relay. What fails of one does not
 * hold up the others. Stopped at any point, the next round goes on.
 * @throws the signal's reason
 */
export async function runRound(round: Round): Promise<Outcome> {
  const { signal, codeOf, memory } = round;
  let failure: { error: unknown } | null = null;
  try {
    await takeOut(round);
  } catch (error) {
    signal.throwIfAborted();
    failure = { error };
  }
  const { code, isPutOff } = await settleAll(round);
  await lookWhatIsDue(round);
  if (failure !== null) {
    const { error } = failure;
    return { code: codeOf(error), cause: error, isPutOff: isHopeless(error) };
  }
  const { setFailure } = memory.state;
  if (code === null && setFailure !== null) return { code: setFailure, cause: null, isPutOff: true };
  return { code, cause: null, isPutOff };
}

/** Warns of what goes, or cannot go, because nobody has exported it. */
async function lookWhatIsDue({ device, memory, signal, tell }: Round): Promise<void> {
  let due;
  try {
    due = await device.due();
  } catch {
    // The relay is out of reach, or this member may not ask: what it said last is what is known.
    signal.throwIfAborted();
    return;
  }
  const days = due.days.filter(({ isExported }) => !isExported);
  const [first] = days;
  const { isWaived } = due;
  await memory.keep({
    due: first === undefined ? null : { days: days.length, firstMs: first.dueMs, isWaived },
  });
  if (first !== undefined) tell({ event: 'due', days: days.length, first: isoTime(first.dueMs), isWaived });
}
