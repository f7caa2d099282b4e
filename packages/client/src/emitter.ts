/** Events of one name that wait for their first listener; what comes after is not kept. */
const MAX_HELD = 1000;

/** A typed list of listeners for each event name. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();
  readonly #held: Map<keyof Events, unknown[]>;

  /** `held`: the names whose events wait for their first listener, as those from before anybody can listen must. */
  constructor(held: readonly (keyof Events)[] = []) {
    this.#held = new Map(held.map((name) => [name, []]));
  }

  /**
   * Calls `listener` at each `event` from now on, and, when it is the first for a held one, for those so far
   * before this returns; the returned function ends it.
   */
  on<Name extends keyof Events>(event: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    const held = this.#held.get(event) ?? [];
    this.#held.delete(event);
    for (const value of held) tell(listener, value as Events[Name]);
    return () => {
      listeners.delete(listener);
    };
  }

  /** Lets go of the events of this name that wait for their first listener. */
  forget(event: keyof Events): void {
    this.#held.delete(event);
  }

  emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    const held = this.#held.get(event);
    if (held !== undefined && held.length < MAX_HELD) held.push(value);
    for (const listener of this.#listeners.get(event) ?? [])
      tell(listener as (value: Events[Name]) => void, value);
  }
}

/** Calls a listener of the application's, whose failure is not ours. */
export function tell<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    // The listener's fault is the application's to see, and nothing here may stop for it.
    queueMicrotask(() => {
      throw error;
    });
  }
}
