/** A list that only grows, and that readers can follow: first what is there, then what comes. */
export class Feed<T> {
  readonly #items: T[] = [];
  readonly #wakeups = new Set<() => void>();
  #ended = false;

  get items(): readonly T[] {
    return this.#items;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Lets every follower finish after what it has. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Yields from the start, then live, until `end` or until `signal` is aborted. */
  async *follow(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    for (let next = 0; !signal?.aborted;) {
      if (next < this.#items.length) {
        yield this.#items[next] as T;
        next += 1;
      } else if (this.#ended) {
        return;
      } else {
        await this.#changed(signal);
      }
    }
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakeups.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakeups.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    for (const wake of this.#wakeups) wake();
  }
}
