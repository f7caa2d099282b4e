import type { Declarations } from './collection.ts';
import type { EpochRing } from './epoch-ring.ts';
import { DAY_SECONDS, type Retained } from './retained.ts';

interface CollectionWindowsOptions {
  readonly definition: Declarations;
  readonly epochs: Pick<EpochRing, 'statementOf' | 'isForgotten'>;
  /** By a time that does not run backwards. */
  now(): number;
  /** Whether this device's member is an admin, whom no collection's own window binds. */
  isAdmin(): boolean;
}

/**
 * What is over for collections that are declared to stay for less than the organisation's window. Only what is shown
 * ends then; the epoch's key is everybody's, and goes when the organisation's window is over.
 */
export class CollectionWindows {
  readonly #options: CollectionWindowsOptions;
  /** In milliseconds, by name: those that have one of their own. */
  readonly #windows: ReadonlyMap<string, number>;
  /** Through which epoch it was over when that was looked for last. */
  readonly #seen = new Map<string, number>();

  constructor(options: CollectionWindowsOptions) {
    this.#options = options;
    this.#windows = new Map(
      Object.entries(options.definition).flatMap(([name, declaration]): [string, number][] => {
        const { retentionDays = null } = declaration as Partial<Retained>;
        return retentionDays === null ? [] : [[name, retentionDays * DAY_SECONDS * 1000]];
      }),
    );
  }

  /** Whether what was written to a collection in this epoch is over. */
  isOver(collection: string, epoch: number): boolean {
    return this.#leftMs(collection, epoch) <= 0;
  }

  /** The collections of which something is over, and through which epoch. */
  over(): { readonly collection: string; readonly throughEpoch: number }[] {
    return [...this.#windows.keys()].flatMap((collection) => {
      const throughEpoch = this.#overThrough(collection);
      return throughEpoch === 0 ? [] : [{ collection, throughEpoch }];
    });
  }

  /** How long until something more is over; `Infinity` when nothing is going to be. */
  get dueMs(): number {
    const left = [...this.#windows.keys()].map((name) => this.#leftMs(name, this.#overThrough(name) + 1));
    return Math.min(Infinity, ...left);
  }

  /** Epochs end in order. Looked for from where it was: a clock that is put right, or a role, also makes it less. */
  #overThrough(collection: string): number {
    let epoch = this.#seen.get(collection) ?? 0;
    while (epoch > 0 && !this.isOver(collection, epoch)) epoch -= 1;
    while (this.isOver(collection, epoch + 1)) epoch += 1;
    this.#seen.set(collection, epoch);
    return epoch;
  }

  #leftMs(collection: string, epoch: number): number {
    const { epochs, now, isAdmin } = this.#options;
    const window = this.#windows.get(collection);
    const statement = epochs.statementOf(epoch);
    if (window === undefined || isAdmin()) return Infinity;
    if (statement === null) return epochs.isForgotten(epoch) ? 0 : Infinity;
    return statement.blockEndMs + window - now();
  }
}
