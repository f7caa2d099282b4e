import { MAX_EPHEMERAL_AGE_MS } from '@keytide/crypto-core';
import type { z } from 'zod';
import { accepted, invalidValue, type Body } from './body.ts';
import { Changes } from './changes.ts';
import type { AnyCollection, CollectionContext, Declaration } from './collection.ts';
import type { LiveArrival } from './live-line.ts';
import { Wakeups } from './wakeups.ts';

const MIN_INTERVAL_MS = 1_000;

/** End-to-end encrypted values of now, such as where somebody is: shown while they are fresh, and stored nowhere. */
export interface LiveDeclaration<T extends Body> extends Declaration<LiveCollection<T>> {
  readonly class: 'sensitive';
  readonly kind: 'live';
  readonly schema: z.ZodType<T>;
  readonly maxAgeMs: number;
  readonly minIntervalMs: number;
}

/** How long a live value is shown, and how often a device sends one. */
export interface LiveOptions {
  /** For how long a value is shown, clock differences included: at most ten minutes. Default: one minute. */
  readonly maxAgeMs?: number;
  /** A device sends no more often, in each room: at least a second. Default: ten seconds. */
  readonly minIntervalMs?: number;
}

/** What one device says of now. */
export interface LiveItem<T extends Body> {
  readonly device: string;
  /** The member that device belongs to. */
  readonly member: string;
  /** The name that member chose. Not verified by anyone but themselves. */
  readonly handle: string;
  /** The room it was said in; empty for the collection's only one. */
  readonly room: string;
  /** When it was sent, by the sender's clock: milliseconds since 1970. */
  readonly timeMs: number;
  readonly body: T;
}

interface Shown<T extends Body> {
  readonly item: LiveItem<T>;
  /** Up to then it is shown. */
  readonly endMs: number;
}

/** Declares values of now. @throws RangeError for a time out of its range */
export function declareLive<T extends Body>(
  schema: z.ZodType<T>,
  { maxAgeMs = 60_000, minIntervalMs = 10_000 }: LiveOptions = {},
): LiveDeclaration<T> {
  if (!(minIntervalMs >= MIN_INTERVAL_MS))
    throw new RangeError(`a live collection waits at least ${MIN_INTERVAL_MS} ms between two values`);
  if (!Number.isSafeInteger(maxAgeMs) || maxAgeMs < minIntervalMs || maxAgeMs > MAX_EPHEMERAL_AGE_MS)
    throw new RangeError(
      `a live value is shown for whole milliseconds, from its interval up to ${MAX_EPHEMERAL_AGE_MS}`,
    );
  const declaration: LiveDeclaration<T> = {
    class: 'sensitive',
    kind: 'live',
    schema,
    maxAgeMs,
    minIntervalMs,
    open: (context) => new LiveCollection(declaration, context),
  };
  return declaration;
}

/** Live values of the group's devices: of each device in each room the latest, in memory only. */
export class LiveCollection<T extends Body> implements AnyCollection {
  readonly #declaration: Pick<LiveDeclaration<T>, 'schema' | 'maxAgeMs' | 'minIntervalMs'>;
  readonly #context: Pick<CollectionContext, 'name' | 'live'>;
  readonly #shown = new Map<string, Shown<T>>();
  /** From when on the next value may be sent, by room. */
  readonly #nextMs = new Map<string, number>();
  /** What was published too early, by room: the newest only. */
  readonly #waiting = new Map<string, T>();
  readonly #ended = new AbortController();
  readonly #wakeups = new Wakeups();
  readonly #views = new Changes();
  #changes = 0;
  /** When the timer ends that lets go of what is too old; `null` while nothing is shown. */
  #expiryMs: number | null = null;
  #nap = new AbortController();

  constructor(
    declaration: Pick<LiveDeclaration<T>, 'schema' | 'maxAgeMs' | 'minIntervalMs'>,
    context: Pick<CollectionContext, 'name' | 'live'>,
  ) {
    this.#declaration = declaration;
    this.#context = context;
  }

  /**
   * Says a value to whoever is connected now. Too early after the one before, it takes the place of what waits, is
   * sent when its time has come, and failures then are not told. Without a connection it is let go.
   * @throws ClientError `invalid-value`, `too-large` (about 3.5 KiB), `not-ready`, `unwitnessed`, `closed`
   */
  async publish(body: T, { room = '' }: { room?: string } = {}): Promise<void> {
    const parsed = this.#declaration.schema.safeParse(body);
    if (!parsed.success) throw invalidValue(this.#context.name, parsed.error);
    const waitMs = (this.#nextMs.get(room) ?? 0) - this.#context.live.time.now();
    if (waitMs <= 0 && !this.#waiting.has(room)) return await this.#send(parsed.data, room);
    if (!this.#waiting.has(room)) void this.#sendAfter(waitMs, room);
    this.#waiting.set(room, parsed.data);
  }

  /**
   * The latest of each device that is fresh and still a member's; without this device's own. In one room, or in all:
   * the same array until that has changed.
   */
  current(room?: string): readonly LiveItem<T>[] {
    this.look();
    return this.#views.kept(room === undefined ? 'all' : `room ${room}`, () => {
      const items = [...this.#shown.values()].map(({ item }) => item);
      return room === undefined ? items : items.filter((item) => item.room === room);
    });
  }

  /** Calls `listener` when `current` may give something else; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#views.subscribe(listener);
  }

  /**
   * Yields what `current` is, and anew whenever it has changed, also because something has become too old; a slow
   * reader gets the newest. Until `signal` is aborted or the client closes.
   */
  async *follow(signal?: AbortSignal): AsyncGenerator<readonly LiveItem<T>[], void, undefined> {
    for (let seen = -1; signal?.aborted !== true && !this.#ended.signal.aborted;) {
      if (seen === this.#changes) {
        await this.#wakeups.next(signal);
        continue;
      }
      const items = this.current();
      seen = this.#changes;
      yield items;
    }
  }

  /** Takes a value of another device; `false` when it breaks the collection's rules. For the client only. */
  show({ body, sentMs, maxAgeMs, ...origin }: LiveArrival): boolean {
    const fit = accepted(this.#declaration.schema, body);
    if (fit === null) return false;
    const endMs = sentMs + Math.min(maxAgeMs, this.#declaration.maxAgeMs);
    const key = `${origin.device}/${origin.room}`;
    this.#shown.delete(key);
    this.#shown.set(key, { item: { ...origin, timeMs: sentMs, body: fit }, endMs });
    this.#change();
    if (this.#expiryMs === null) void this.#expire();
    else if (endMs < this.#expiryMs) this.#nap.abort();
    return true;
  }

  /** Lets go of what is too old, or of nobody's device any more. For the client only. */
  look(): void {
    const { live } = this.#context;
    const nowMs = live.time.now();
    const gone = [...this.#shown].filter(
      ([, { item, endMs }]) => nowMs > endMs || !live.isActive(item.device),
    );
    for (const [key] of gone) this.#shown.delete(key);
    if (gone.length > 0) this.#change();
  }

  /** Ends every `follow`, and forgets everything. For the client only. */
  end(): void {
    this.#ended.abort();
    this.#nap.abort();
    this.#waiting.clear();
    this.#shown.clear();
    this.#change();
  }

  async #send(body: T, room: string): Promise<void> {
    const { name, live } = this.#context;
    const { maxAgeMs, minIntervalMs } = this.#declaration;
    this.#nextMs.set(room, live.time.now() + minIntervalMs);
    let isSent = false;
    try {
      isSent = await live.send({ collection: name, room, body, maxAgeMs });
    } finally {
      if (!isSent) this.#nextMs.delete(room);
    }
  }

  async #sendAfter(waitMs: number, room: string): Promise<void> {
    await this.#context.live.time.wait(waitMs, this.#ended.signal);
    const body = this.#waiting.get(room);
    this.#waiting.delete(room);
    if (body !== undefined) await this.#send(body, room).catch(() => {});
  }

  /** Runs while anything is shown, so that it goes when its time is over, whether anybody looks or not. */
  async #expire(): Promise<void> {
    const { time } = this.#context.live;
    while (this.#shown.size > 0 && !this.#ended.signal.aborted) {
      let firstMs = Infinity;
      for (const { endMs } of this.#shown.values()) firstMs = Math.min(firstMs, endMs);
      this.#expiryMs = firstMs;
      this.#nap = new AbortController();
      await time.wait(Math.max(0, firstMs - time.now()) + 1, this.#nap.signal);
      this.look();
    }
    this.#expiryMs = null;
  }

  #change(): void {
    this.#changes += 1;
    this.#views.changed();
    // Not at once: `current` may be what finds a change, in the middle of a render.
    void Promise.resolve().then(() => this.#views.tell());
    this.#wakeups.wake();
  }
}
