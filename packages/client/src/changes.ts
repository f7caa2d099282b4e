import { tell } from './emitter.ts';

/**
 * What is shown to people, kept until it changes, and who wants to know when. Listeners are told once for many
 * changes, and what they then look at is the same object for as long as nothing in it has changed: what
 * `useSyncExternalStore` of React and its like take.
 */
export class Changes {
  readonly #listeners = new Set<() => void>();
  readonly #kept = new Map<string, unknown>();
  #isTold = true;

  /** Calls `listener` after each change, or once after several; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    // Each its own, so that the same function can be handed in twice.
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** What `look` answered first since the last change. */
  kept<T>(name: string, look: () => T): T {
    if (!this.#kept.has(name)) this.#kept.set(name, look());
    return this.#kept.get(name) as T;
  }

  /** Something is different: all of it, or only what is kept under these names. */
  changed(...names: string[]): void {
    this.#isTold = false;
    if (names.length === 0) this.#kept.clear();
    for (const name of names) this.#kept.delete(name);
  }

  /** Tells the listeners, where anything has changed since they were told. */
  tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    for (const listener of this.#listeners) tell(listener, undefined);
  }
}
