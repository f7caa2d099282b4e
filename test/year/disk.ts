import {
  memoryJournal,
  unlockShareFrom,
  type DeviceStore,
  type Journal,
  type Ports,
  type TicketPlace,
} from '@keytide/client';
import { eraseNativeKeyStore, openNativeKeyStore } from '@keytide/crypto-core/react-native';
import { memoryNativePorts, type NativeStorage } from '@keytide/testkit/key-store';

/** What one process has of a device's disk. */
export interface Mounted {
  readonly store: DeviceStore;
  /** Whether the relay has to help to open it the next time. */
  readonly needsShare: boolean;
  /** The process is over in the middle of whatever it did: of what it had not flushed, so large a share is kept. */
  kill(share: number): Promise<void>;
}

type Alive = <T>(work: () => Promise<T>) => Promise<T>;

const VAULT = 'vault';

/** A device's disk, which outlives its processes: a real vault, and journals of which a crash takes the newest part. */
export class Disk {
  readonly #native: NativeStorage = { items: new Map(), blobs: new Map() };
  readonly #journals = new Map<string, Journal>();
  readonly #flushed = new Map<string, number>();
  #ticket: Uint8Array | null = null;
  #wasDestroyed = false;

  /** Opens it for a process. @throws ClientError `lease-over`, `offline` */
  async mount(ports: Ports): Promise<Mounted> {
    let isAlive = true;
    // A process that is over learns of nothing any more.
    const alive: Alive = async (work) => (isAlive ? await work() : await new Promise(() => {}));
    const native = memoryNativePorts(ports, this.#native);
    const blobs = {
      read: native.blobs.read,
      write: (name: string, bytes: Uint8Array) => alive(() => native.blobs.write(name, bytes)),
      delete: (name: string) => alive(() => native.blobs.delete(name)),
    };
    const parts = { ...native, blobs };
    const ticket = this.#ticketPlace(alive);
    const unlockShare = unlockShareFrom(ports, ticket);
    const vault = await openNativeKeyStore(parts, { name: VAULT, create: true, unlockShare });
    return {
      store: {
        keys: vault,
        lease: { vault, ticket },
        journal: async (name) => this.#mounted(name, alive),
        close: () => vault.close(),
        destroy: () =>
          alive(async () => {
            await vault.close();
            await eraseNativeKeyStore(parts, VAULT);
            await ticket.delete();
            for (const name of this.#journals.keys()) await this.#mounted(name, alive).cut(0);
            this.#wasDestroyed = true;
          }),
        wasDestroyed: async () => this.#wasDestroyed,
      },
      get needsShare() {
        return vault.needsUnlockShare;
      },
      kill: async (share) => {
        isAlive = false;
        for (const [name, flushed] of this.#flushed) {
          const journal = this.#journal(name);
          const records = await journal.read(0);
          await journal.cut(0);
          await journal.append(records.slice(0, flushed + Math.floor(share * (records.length - flushed))));
        }
      },
    };
  }

  #ticketPlace(alive: Alive): TicketPlace {
    return {
      read: async () => this.#ticket,
      write: (ticket) => alive(async () => void (this.#ticket = ticket)),
      delete: () => alive(async () => void (this.#ticket = null)),
    };
  }

  #journal(name: string): Journal {
    const journal = this.#journals.get(name) ?? memoryJournal();
    this.#journals.set(name, journal);
    return journal;
  }

  #mounted(name: string, alive: Alive): Journal {
    const journal = this.#journal(name);
    const noted = (length: number): void => void this.#flushed.set(name, length);
    if (!this.#flushed.has(name)) noted(journal.length);
    return {
      get length() {
        return journal.length;
      },
      read: (start, end) => alive(() => journal.read(start, end)),
      append: (records) => alive(() => journal.append(records)),
      flush: () => alive(async () => noted(journal.length)),
      cut: (length) =>
        alive(async () => {
          await journal.cut(length);
          noted(Math.min(length, this.#flushed.get(name) ?? 0));
        }),
    };
  }
}
