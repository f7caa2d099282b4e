import { toHex } from '@keytide/crypto-core';
import type { Part } from './part.ts';
import type { RetentionDue } from './release.ts';

/** What `DueSoon` works with. */
interface DueSoonOptions {
  /** Whether this device's member is an admin or an exporter. */
  mayAsk(): boolean;
  /** @throws ClientError */
  read(): Promise<RetentionDue>;
  onChanged(): void;
}

/** What the relay is about to forget, as it said last: asked when it is there again, and at its hint (docs/spec/release.md). */
export class DueSoon implements Part {
  readonly topic = 'retention';
  readonly #options: DueSoonOptions;
  #due: RetentionDue | null = null;
  #shown = '';
  #mayAsk = false;
  #reading: Promise<void> | null = null;
  #isWoken = false;
  #isStopped = false;

  constructor(options: DueSoonOptions) {
    this.#options = options;
  }

  /** `null` until the relay was asked, and for who may not ask. */
  get due(): RetentionDue | null {
    return this.#due;
  }

  /** The membership log has grown: perhaps the member may ask now, or not any more. */
  look(): void {
    if (this.#options.mayAsk() !== this.#mayAsk) this.wake();
  }

  wake(): void {
    this.#isWoken = true;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reading;
  }

  /** What fails now is asked again at the next wake. */
  async #read(): Promise<void> {
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      this.#mayAsk = this.#options.mayAsk();
      try {
        this.#show(this.#mayAsk ? await this.#options.read() : null);
      } catch {
        // Whoever calls `retentionDue` hears why.
      }
    }
  }

  #show(due: RetentionDue | null): void {
    const shown = JSON.stringify(due, (_key, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    if (shown === this.#shown) return;
    this.#due = due;
    this.#shown = shown;
    this.#options.onChanged();
  }
}
