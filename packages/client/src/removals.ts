import type { AnyCollection } from './collection.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';

interface RemovalsOptions {
  readonly ports: Pick<Ports, 'clock' | 'random'>;
  collections(): Iterable<AnyCollection>;
  isOnline(): boolean;
  /** Whether somebody's role is no longer the one that counts for what is written now (ADR 25). */
  hasOldRoles(): boolean;
}

/** The longest wait: one of those who may is enough, so devices take turns by chance. */
const TURN_MS = 2_000;

/** Sees to it that what was removed stays removed: says a removal again where a later write would outlive it. */
export class Removals implements Part {
  readonly topic = null;
  readonly #options: RemovalsOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  wake(): void {
    if (this.#running !== null || this.#stopping.signal.aborted || !this.#isDue) return;
    this.#running = this.#say().finally(() => void (this.#running = null));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #isDue(): boolean {
    const { collections, hasOldRoles, isOnline } = this.#options;
    // By a role that does not count yet it would be refused by everybody, and be due again. The next epoch wakes this.
    return isOnline() && !hasOldRoles() && [...collections()].some(({ hasOutlived }) => hasOutlived === true);
  }

  async #say(): Promise<void> {
    const { ports, collections } = this.#options;
    const share = (ports.random(1)[0] as number) / 255;
    await ports.clock.wait(share * TURN_MS, this.#stopping.signal);
    if (this.#stopping.signal.aborted || !this.#isDue) return;
    // What fails stays due, and is said when something is heard next; it keeps no other collection waiting.
    for (const collection of collections()) await collection.removeAnew?.().catch(() => {});
  }
}
