/** Whoever waits for something to change. */
export class Wakeups {
  readonly #waiting = new Set<() => void>();

  /** Lets everybody who waits look again. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next `wake`, or when `signal` is aborted. */
  next(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      if (signal?.aborted === true) return resolve();
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }
}
