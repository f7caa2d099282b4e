import { memoryKeyStore } from '@keytide/crypto-core';
import { memoryJournal, type Journal } from './journal.ts';
import type { DeviceStore } from './ports.ts';

/** A device that forgets everything with its process: for tests, and for a look around. */
export function memoryDeviceStore(): DeviceStore {
  const keys = memoryKeyStore();
  const journals = new Map<string, Journal>();
  let isDestroyed = false;
  return {
    keys,
    async journal(name) {
      const journal = journals.get(name) ?? memoryJournal();
      journals.set(name, journal);
      return journal;
    },
    close: () => keys.close(),
    async destroy() {
      isDestroyed = true;
      await keys.write((await keys.names('')).map((name) => ({ name, value: null })));
      for (const journal of journals.values()) await journal.cut(0);
    },
    wasDestroyed: async () => isDestroyed,
  };
}
