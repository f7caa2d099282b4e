import type { StatementRing } from '../verify/statement-ring.ts';

/**
 * Follows a group's log and says where time ends for what is written in it: a later reading of a clock counts as the
 * last one before (docs/spec/operations.md, "Rules").
 */
export interface TimeLimit {
  /** One block after that of the newest epoch, in milliseconds since 1970; `null` while no epoch is known. */
  readonly endMs: number | null;
  /** Takes the next epoch statement of the log, as it travelled. One that does not count changes nothing. */
  pass(wire: Uint8Array): void;
}

/** `before`: the newest statement before what is followed. */
export function timeLimit(ring: StatementRing, before: Uint8Array | null): TimeLimit {
  if (before !== null) ring.begin(before);
  return {
    get endMs() {
      const statement = ring.current?.statement;
      return statement === undefined ? null : 2 * statement.blockEndMs - statement.blockStartMs;
    },
    pass: (wire) => void ring.take(wire),
  };
}
