import { memoryDeviceStore, memoryJournal, type DeviceStore, type Journal } from '@keytide/client';

/** A device's store whose process can be killed: of its journals stays what was flushed, and some of the rest. */
export interface CrashingStore extends DeviceStore {
  /** What the next process finds, with `kept` of each journal's records that were not durable. */
  crash(kept: (unsafe: number) => number): CrashingStore;
}

/** A store in memory that survives its client, and can be killed under it. */
export function crashingStore(
  keys: DeviceStore['keys'] = memoryDeviceStore().keys,
  journals = new Map<string, KeptJournal>(),
): CrashingStore {
  return {
    keys,
    async journal(name) {
      const journal = journals.get(name) ?? keptJournal([]);
      journals.set(name, journal);
      return journal;
    },
    close: async () => {},
    destroy: async () => {},
    wasDestroyed: async () => false,
    crash(kept) {
      const left = [...journals].map(([name, { records, safe }]): [string, KeptJournal] => [
        name,
        keptJournal(records().slice(0, safe() + kept(records().length - safe()))),
      ]);
      return crashingStore(keys, new Map(left));
    },
  };
}

interface KeptJournal extends Journal {
  records(): readonly Uint8Array[];
  safe(): number;
}

function keptJournal(kept: readonly Uint8Array[]): KeptJournal {
  const inner = memoryJournal();
  void inner.append(kept);
  const records = [...kept];
  let safe = kept.length;
  return {
    get length() {
      return inner.length;
    },
    read: inner.read,
    async append(added) {
      await inner.append(added);
      records.push(...added);
    },
    async flush() {
      safe = records.length;
    },
    async cut(length) {
      await inner.cut(length);
      records.length = Math.min(records.length, length);
      safe = Math.min(safe, length);
    },
    records: () => records,
    safe: () => safe,
  };
}
