import type { Arrivals } from './arrivals.ts';
import type { AnyCollection } from './collection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing } from './epoch-ring.ts';
import type { DeviceStore } from './ports.ts';
import type { Sync } from './sync.ts';
import { locked } from './unlock-lease.ts';
import { carryOut, handIn, wiped, wipeOrderIn, type WipeOrder, type WipeTools } from './wipe.ts';

interface ClientEndOptions extends WipeTools {
  readonly store: DeviceStore;
  readonly directory: DirectoryReplica;
  readonly epochs: Pick<EpochRing, 'dispose'>;
  readonly arrivals: Pick<Arrivals, 'empty'>;
  collections(): Iterable<AnyCollection>;
  sync(): Pick<Sync, 'stop' | 'end'>;
}

/** How a client ends: the app closes it, its lease is over, or a wipe order names its device. */
export class ClientEnd {
  readonly #options: ClientEndOptions;
  readonly #closing = new AbortController();
  #closed: Promise<void> | null = null;
  /** The end that it makes by itself, once there is a reason. */
  #ending: Promise<void> | null = null;

  constructor(options: ClientEndOptions) {
    this.#options = options;
  }

  /** Finishes what is under way, keeps what is not sent, and lets go of the store. Again, it does nothing more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Looks for a wipe order in the membership log, and obeys it. */
  look(): void {
    const { directory, device } = this.#options;
    const order = wipeOrderIn(directory, device);
    if (order !== null) this.#ending ??= this.#obey(order);
  }

  /** The lease is over. The way back is to open the store again, which asks the relay. */
  lock(): void {
    const { store, sync } = this.#options;
    this.#ending ??= sync().end('locked', locked(), async () => {
      this.#empty();
      await store.close();
    });
  }

  async #close(): Promise<void> {
    const { store, collections, sync } = this.#options;
    this.#closing.abort();
    await sync().stop();
    await this.#ending;
    for (const collection of collections()) collection.end();
    await store.close();
  }

  /** Nothing is waited for before the store is destroyed, and nothing but a clean end keeps the receipt from going out. */
  async #obey(order: WipeOrder): Promise<void> {
    const { sync } = this.#options;
    let receipt: Uint8Array | null = null;
    await sync().end('wiped', wiped(), async () => {
      this.#empty();
      receipt = await carryOut(this.#options, order);
    });
    if (receipt !== null) await handIn(this.#options, receipt, this.#closing.signal);
  }

  /** What is shown and what it is read with leaves the memory. */
  #empty(): void {
    const { epochs, arrivals, collections } = this.#options;
    epochs.dispose();
    arrivals.empty();
    for (const collection of collections()) {
      collection.forget?.(Number.MAX_SAFE_INTEGER);
      collection.end();
    }
  }
}
