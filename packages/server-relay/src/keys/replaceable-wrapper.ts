import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';

/** A wrapper whose place another one of the same key can take. */
export interface ReplaceableWrapper extends KeyWrapper {
  /** Checked first: it gives back what it wraps. @throws RelayError `data-key-missing` for another key */
  replace(fresh: KeyWrapper): void;
}

/** Begins with `now`. */
export function replaceableWrapper(now: KeyWrapper): ReplaceableWrapper {
  const { keyName } = now;
  return {
    keyName,
    unwraps: (name) => now.unwraps(name),
    wrap: (dataKey, context) => now.wrap(dataKey, context),
    unwrap: (name, wrapped, context) => now.unwrap(name, wrapped, context),
    replace(fresh) {
      // Under its name is what has been wrapped since.
      if (fresh.keyName !== keyName)
        throw new RelayError('data-key-missing', 'it is another key: that takes a start');
      now = fresh;
    },
  };
}
