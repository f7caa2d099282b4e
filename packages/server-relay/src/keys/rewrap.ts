import { CryptoError, equalBytes } from '@keytide/crypto-core';
import { dataKeyContext } from '../at-rest.ts';
import type { DataStore } from '../data-store.ts';
import { dayKeyContext } from '../day-keys.ts';
import type { EntryStore } from '../entry-store.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import type { KeyPlace, WrappedKey, WrappedKeys } from '../wrapped-keys.ts';
import { serviceFailed } from './service-call.ts';

/** What `rewrapKeys` works with. */
export interface RewrapOptions {
  readonly store: Pick<DataStore, 'wrappedDataKeys'> & Pick<EntryStore, 'wrappedDayKeys'>;
  /** Unwraps what is there and wraps anew: a `keyRing` of the new key and all former ones. */
  readonly wrapper: KeyWrapper;
  /** Hears of every step. */
  readonly progress?: (state: RewrapProgress) => void;
  /** Ends it after what is under way; the rest is for the next time. */
  readonly signal?: AbortSignal;
  /** How many keys are under way at once. Default 8: a service answers each on its own. */
  readonly atOnce?: number;
}

/** How far it is. */
export interface RewrapProgress {
  /** Wrapped by the current key since this call began. */
  readonly moved: number;
  /** Not yet, as far as is known. */
  readonly left: number;
}

/** How it ended. A former key may go when nothing is left. */
export interface RewrapResult extends RewrapProgress {
  /** Keys that do not open, of the first hundred; they count as left. They are damaged, and nothing was done to them. */
  readonly damaged: readonly KeyPlace[];
}

const PAGE = 100;

/**
 * Wraps every key that another key wraps with the current one of `wrapper`, while relays work: what is wrapped
 * stays the same, so those that have both keys notice nothing. Each key is checked to come back before it takes the
 * place of the old, one row at a time, so whoever stops it at any moment calls it again, and several may run at once.
 * A relay that wraps with a former key meanwhile is followed; what is left in the end is for another call.
 * @throws RelayError `data-key-missing` for a key that nobody in the ring has, `key-service-failed`,
 * `key-service-refused`, `database-failed`; what was moved stays moved
 */
export async function rewrapKeys(options: RewrapOptions): Promise<RewrapResult> {
  const { store, wrapper, signal } = options;
  const tables = [
    { keys: store.wrappedDataKeys, contextOf: dataKeyContext },
    { keys: store.wrappedDayKeys, contextOf: dayKeyContext },
  ];
  const damaged = new Map<string, KeyPlace>();
  let moved = 0;
  let left = await countAll();
  const tell = (): void => options.progress?.({ moved, left });

  async function countAll(): Promise<number> {
    const counts = await Promise.all(tables.map(({ keys }) => keys.countOthers(wrapper.keyName)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Whether it is now wrapped by the current key because of us. */
  async function move(keys: WrappedKeys, key: WrappedKey, context: Uint8Array): Promise<void> {
    let dataKey: Uint8Array;
    try {
      dataKey = await wrapper.unwrap(key.wrappingKey, key.wrapped, context);
    } catch (error) {
      if (!(error instanceof CryptoError) || error.code !== 'decryption-failed') throw error;
      const { org, number } = key;
      if (damaged.size < PAGE) damaged.set(`${org} ${number}`, { org, number });
      return;
    }
    let wrapped: Uint8Array;
    try {
      wrapped = await wrapper.wrap(dataKey, context);
      const back = await wrapper.unwrap(wrapper.keyName, wrapped, context);
      const isSame = equalBytes(back, dataKey);
      back.fill(0);
      if (!isSame) throw serviceFailed('garbage');
    } finally {
      dataKey.fill(0);
    }
    if (!(await keys.replace(key, { wrappingKey: wrapper.keyName, wrapped }))) return;
    moved += 1;
    left = Math.max(0, left - 1);
  }

  /** Through one table from its start. */
  async function pass({ keys, contextOf }: (typeof tables)[number]): Promise<void> {
    for (let after: KeyPlace | null = null; signal?.aborted !== true;) {
      const page: readonly WrappedKey[] = await keys.listOthers(wrapper.keyName, after, PAGE);
      await eachOf(page, options.atOnce ?? 8, async (key) => {
        if (signal?.aborted !== true) await move(keys, key, contextOf(key.org, key.number));
      });
      if (page.length > 0) tell();
      if (page.length < PAGE) return;
      after = page.at(-1) as KeyPlace;
    }
  }

  tell();
  for (let before = -1; left > 0 && moved > before && signal?.aborted !== true;) {
    before = moved;
    for (const table of tables) await pass(table);
    left = await countAll();
  }
  tell();
  return { moved, left, damaged: [...damaged.values()] };
}

/** Some at once. Once one has failed none is begun, and those under way are waited for. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  let hasFailed = false;
  const line = async (): Promise<void> => {
    for (const item of rest) {
      if (hasFailed) return;
      await work(item).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  const lines = await Promise.allSettled(Array.from({ length: atOnce }, line));
  const broken = lines.find(({ status }) => status === 'rejected');
  if (broken?.status === 'rejected') throw broken.reason;
}
