import type { RelayStore } from '@keytide/server-relay';

/** A store under test: open, and able to come back after it was closed. */
export interface StoreUnderTest {
  readonly store: RelayStore;
  /** Opens the same data again, after `store.close()`. */
  reopen(): Promise<RelayStore>;
}

/** One thing that a store owes. Every check works with organisations of its own. */
export interface StoreCheck {
  readonly name: string;
  /** May close the store; must then answer the one it opened instead. */
  check(under: StoreUnderTest): Promise<RelayStore | void>;
}
