/**
 * Counts what was read and not yet answered, and says when to stop and when to go on reading. A class, since each
 * socket has one: four functions for each would be a third of a kilobyte of an idle one.
 */
export class Intake {
  readonly #limitBytes: number;
  #held = 0;
  #waiting: (() => void)[] = [];

  /** An empty one. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Counts `sizeBytes`; `isFull` may be true afterwards. */
  take(sizeBytes: number): void {
    this.#held += sizeBytes;
  }

  give(sizeBytes: number): void {
    this.#held -= sizeBytes;
    if (this.#held > this.#limitBytes / 2 || this.#waiting.length === 0) return;
    const calls = this.#waiting;
    this.#waiting = [];
    for (const call of calls) call();
  }

  isFull(): boolean {
    return this.#held > this.#limitBytes;
  }

  /** Calls once when it is at most half full again. */
  whenHalfEmpty(call: () => void): void {
    if (this.#held <= this.#limitBytes / 2) call();
    else this.#waiting.push(call);
  }
}

/**
 * An intake of `limitBytes` for each of what is in memory together, gone when that is. What they hold counts in `all`
 * as well, and of each no more than `limitBytes`: one that is over fills nothing for the others.
 */
export function createShares(limitBytes: number, all: Intake): (of: object) => Intake {
  const shares = new WeakMap<object, Intake>();
  return (of) => {
    const share = shares.get(of) ?? new Share(limitBytes, all);
    shares.set(of, share);
    return share;
  };
}

class Share extends Intake {
  readonly #mostBytes: number;
  readonly #all: Intake;
  #held = 0;

  constructor(limitBytes: number, all: Intake) {
    super(limitBytes);
    this.#mostBytes = limitBytes;
    this.#all = all;
  }

  override take(sizeBytes: number): void {
    const before = this.#counted();
    this.#held += sizeBytes;
    this.#all.take(this.#counted() - before);
    super.take(sizeBytes);
  }

  override give(sizeBytes: number): void {
    const before = this.#counted();
    this.#held -= sizeBytes;
    this.#all.give(before - this.#counted());
    super.give(sizeBytes);
  }

  #counted(): number {
    return Math.min(this.#held, this.#mostBytes);
  }
}
