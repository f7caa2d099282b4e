import { useCallback, useSyncExternalStore } from 'react';

/** What tells of changes. */
export interface Shown {
  subscribe(listener: () => void): () => void;
}

/** What `look` answers, and a new render when that is another object. `look` answers the same one until it changes. */
export function useShown<T>(source: Shown, look: () => T): T {
  const subscribe = useCallback((listener: () => void) => source.subscribe(listener), [source]);
  return useSyncExternalStore(subscribe, look, look);
}
