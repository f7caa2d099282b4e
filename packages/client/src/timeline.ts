import { equalBytes, type GroupId, type KeyStore } from '@keytide/crypto-core';
import { commonLog } from './common-log.ts';
import type { RelayApi } from './relay-api.ts';
import { rewind, type RewindOptions } from './rewind.ts';

interface TimelineOptions extends RewindOptions {
  readonly api: RelayApi;
  readonly keyStore: KeyStore;
  readonly group: GroupId;
  /** Keeps everybody else from giving out counters meanwhile. */
  chaining<T>(job: () => Promise<T>): Promise<T>;
  /** What was read from the relay by places of its own is to be read again. */
  onChanged(): void;
}

/** Whether this device's places in the relay's logs are of the timeline that the relay is of (docs/spec/timeline.md). */
export class TimelineKeeper {
  readonly #options: TimelineOptions;

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /**
   * Compares this device's copy with the log of a relay of another timeline than before, and rewinds it where they
   * differ. From then on the copy is of this timeline.
   * @throws ClientError `offline`, `relay-misbehaved`, `relay-refused`
   */
  async settle(timeline: Uint8Array): Promise<void> {
    const { api, group, journal, keyStore, chaining, onChanged } = this.#options;
    const name = `timeline/${group}`;
    const known = await keyStore.get(name);
    if (known !== null && equalBytes(known, timeline)) return;
    if (journal.length > 0) {
      const common = await commonLog(journal, (after) => api.readEntries(group, after, timeline));
      if (common.records < journal.length) await chaining(() => rewind(this.#options, common));
    }
    if (known !== null) onChanged();
    await keyStore.write([{ name, value: timeline.slice() }]);
  }
}
