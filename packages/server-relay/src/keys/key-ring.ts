import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';

/** Wraps with the first, unwraps with whichever has the key: for the time in which `rewrapKeys` moves them. */
export function keyRing(current: KeyWrapper, ...former: readonly KeyWrapper[]): KeyWrapper {
  const all = [current, ...former];
  return {
    keyName: current.keyName,
    unwraps: (name) => all.some((wrapper) => wrapper.unwraps(name)),
    wrap: (dataKey, context) => current.wrap(dataKey, context),
    async unwrap(name, wrapped, context) {
      const wrapper = all.find((one) => one.unwraps(name));
      if (wrapper === undefined)
        throw new RelayError('data-key-missing', 'wrapped by a key that is not here');
      return wrapper.unwrap(name, wrapped, context);
    },
  };
}
