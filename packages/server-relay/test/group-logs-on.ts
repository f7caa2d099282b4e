import type { Random } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createDayKeys } from '../src/day-keys.ts';
import { createGroupLogs, type GroupLogs } from '../src/group-logs.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import type { RelayStore } from '../src/store.ts';

/** Group logs on a store, under a wrapping key of their own, on the first day of 2030. */
export function groupLogsOn(store: RelayStore, random: Random): GroupLogs {
  return createGroupLogs({
    store,
    keys: createDayKeys({ store, wrapper: localKeyWrapper(primitives, random, random(32)), random }),
    primitives,
    random,
    clock: { now: () => Date.UTC(2030, 0, 1) },
    retentionOf: () => Promise.resolve({ exportSeconds: 86_400 }),
  });
}
