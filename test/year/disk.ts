import { memoryDeviceStore, type DeviceStore, type Journal } from '@keytide/client';
import type { KeyStore } from '@keytide/crypto-core';

/** What one process has of a device's disk. */
export interface Mounted {
  readonly store: DeviceStore;
  /** The process is over in the middle of whatever it did: of what it had not flushed, so large a share is kept. */
  kill(share: number): Promise<void>;
}

/** A device's disk, which outlives its processes. */
export class Disk {
  readonly #inner: DeviceStore = memoryDeviceStore();
  readonly #flushed = new Map<string, number>();

  mount(): Mounted {
    let isAlive = true;
    // A process that is over learns of nothing any more.
    const alive = async <T>(work: () => Promise<T>): Promise<T> =>
      isAlive ? await work() : await new Promise<T>(() => {});
    const { keys } = this.#inner;
    const mountedKeys: KeyStore = {
      get: (name) => alive(() => keys.get(name)),
      names: (prefix) => alive(() => keys.names(prefix)),
      write: (batch) => alive(() => keys.write(batch)),
      close: async () => {},
    };
    return {
      store: {
        ...this.#inner,
        keys: mountedKeys,
        journal: async (name) => this.#mounted(name, await this.#inner.journal(name), alive),
        destroy: () => alive(() => this.#inner.destroy()),
        close: async () => {},
      },
      kill: async (share) => {
        isAlive = false;
        for (const [name, flushed] of this.#flushed) {
          const journal = await this.#inner.journal(name);
          const records = await journal.read(0);
          await journal.clear();
          await journal.append(records.slice(0, flushed + Math.floor(share * (records.length - flushed))));
        }
      },
    };
  }

  #mounted(name: string, journal: Journal, alive: <T>(work: () => Promise<T>) => Promise<T>): Journal {
    const noted = (length: number): void => void this.#flushed.set(name, length);
    if (!this.#flushed.has(name)) noted(journal.length);
    return {
      get length() {
        return journal.length;
      },
      read: (start, end) => alive(() => journal.read(start, end)),
      append: (records) => alive(() => journal.append(records)),
      flush: () => alive(async () => noted(journal.length)),
      clear: () =>
        alive(async () => {
          await journal.clear();
          noted(0);
        }),
    };
  }
}
