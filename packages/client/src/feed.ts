/** A list that grows at its end, and that readers can follow: first what is there, then what comes. */
export class Feed<T> {
  /** With holes where something was dropped, so that readers keep their places. */
  readonly #items: (T | null)[] = [];
  readonly #wakeups = new Set<() => void>();
  #ended = false;

  get items(): readonly T[] {
    return this.#items.filter((item) => item !== null);
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Takes out what `test` names; whoever has not come to it yet never does. */
  drop(test: (item: T) => boolean): T[] {
    const dropped: T[] = [];
    for (const [index, item] of this.#items.entries()) {
      if (item === null || !test(item)) continue;
      dropped.push(item);
      this.#items[index] = null;
    }
    return dropped;
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
        const item = this.#items[next] as T | null;
        if (item !== null) yield item;
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
