/** Counts what was read and not yet answered, and says when to stop and when to go on reading. */
export interface Intake {
  /** Counts `sizeBytes`; `isFull` may be true afterwards. */
  take(sizeBytes: number): void;
  give(sizeBytes: number): void;
  isFull(): boolean;
  /** Calls once when it is at most half full again. */
  whenHalfEmpty(call: () => void): void;
}

/** An empty intake for `limitBytes`. */
export function createIntake(limitBytes: number): Intake {
  let held = 0;
  let waiting: (() => void)[] = [];
  return {
    take(sizeBytes) {
      held += sizeBytes;
    },
    give(sizeBytes) {
      held -= sizeBytes;
      if (held > limitBytes / 2 || waiting.length === 0) return;
      const calls = waiting;
      waiting = [];
      for (const call of calls) call();
    },
    isFull: () => held > limitBytes,
    whenHalfEmpty(call) {
      if (held <= limitBytes / 2) call();
      else waiting.push(call);
    },
  };
}
