import type { ReadingGate } from './reading-gate.ts';

/** What a frame takes one of: of its device's share, and an append of what its organisation has. */
type Kind = 'frame' | 'append';

/** Serves a socket's frames in their order, as fast as they may come. A class, as `Intake`. */
export class FramePace {
  readonly #gate: ReadingGate;
  readonly #serve: (bytes: Uint8Array) => void;
  /** Came while it is slowed down, and not looked at: of one read at most, as reading is held. */
  readonly #waiting: Uint8Array[] = [];
  /** Was taken before it was there, and has been waited for: the next one has it. */
  readonly #paid = { frame: false, append: false };
  #slowing: { readonly timer: NodeJS.Timeout; readonly letRead: () => void } | null = null;
  #isOver = false;

  /** `serve` does not throw. */
  constructor(gate: ReadingGate, serve: (bytes: Uint8Array) => void) {
    this.#gate = gate;
    this.#serve = serve;
  }

  isSlowed(): boolean {
    return this.#slowing !== null;
  }

  /** Serves a frame now, or in its turn. */
  take(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#work();
  }

  /** Takes one unless the last one that came too soon has done so; for how many milliseconds it came too soon. */
  tooSoonMs(kind: Kind, take: () => number): number {
    const waitMs = this.#paid[kind] ? 0 : take();
    this.#paid[kind] = waitMs > 0;
    return waitMs;
  }

  /** Reads and serves nothing for so long: a flood waits at its sender. */
  slowDown(waitMs: number): void {
    const letRead = this.#gate.hold();
    const timer = setTimeout(() => {
      this.#slowing = null;
      this.#work();
      letRead();
    }, waitMs);
    this.#slowing = { timer, letRead };
  }

  /** Serves nothing more. */
  stop(): void {
    this.#isOver = true;
    if (this.#slowing === null) return;
    clearTimeout(this.#slowing.timer);
    this.#slowing.letRead();
  }

  #work(): void {
    while (this.#slowing === null && !this.#isOver) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) return;
      this.#serve(bytes);
    }
  }
}
