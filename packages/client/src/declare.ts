import type { Declarations } from './collection.ts';
import { declareLive } from './live-collection.ts';
import { declareLog } from './log-collection.ts';
import { declareRecord } from './record-collection.ts';

/** Declares sensitive collections: readable on members' devices only. */
export const sensitive: {
  readonly log: typeof declareLog;
  readonly record: typeof declareRecord;
  readonly live: typeof declareLive;
} = {
  log: declareLog,
  record: declareRecord,
  live: declareLive,
};

/** Declares the application's collections once; the result is handed to `createOrganisation`, `join` and `connect`. */
export function defineOrganisation<T extends Declarations>(declarations: T): T {
  for (const name of Object.keys(declarations)) {
    if (!/^[a-z][a-zA-Z0-9]{0,31}$/.test(name)) {
      throw new TypeError(`collection name '${name}': a letter a-z, then up to 31 letters or digits`);
    }
  }
  return declarations;
}
