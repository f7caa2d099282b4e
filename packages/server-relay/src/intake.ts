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

/**
 * An intake of `limitBytes` for each of what is in memory together, gone when that is. What they hold counts in `all`
 * as well, and of each no more than `limitBytes`: one that is over fills nothing for the others.
 */
export function createShares(limitBytes: number, all: Intake): (of: object) => Intake {
  const shares = new WeakMap<object, Intake>();

  function createShare(): Intake {
    const share = createIntake(limitBytes);
    let held = 0;
    const counted = (): number => Math.min(held, limitBytes);
    return {
      ...share,
      take(sizeBytes) {
        const before = counted();
        held += sizeBytes;
        all.take(counted() - before);
        share.take(sizeBytes);
      },
      give(sizeBytes) {
        const before = counted();
        held -= sizeBytes;
        all.give(before - counted());
        share.give(sizeBytes);
      },
    };
  }

  return (of) => {
    const share = shares.get(of) ?? createShare();
    shares.set(of, share);
    return share;
  };
}
