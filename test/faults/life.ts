import type { Item } from './history.ts';

/** What the parent decides about one life of a device. */
export interface Life {
  readonly home: string;
  readonly handle: string;
  readonly number: number;
  readonly seed: string;
  readonly enter: 'create' | 'join' | 'connect';
  /** The relay's address, or the invite link. */
  readonly at: string;
  /** For an organisation that it founds. */
  readonly blockSeconds: number;
}

/** What the parent may ask for while a device lives. */
export type Command =
  | { readonly do: 'invite' | 'finish' | 'close' }
  /** Chat lines, all at once. */
  | { readonly do: 'chat'; readonly count: number }
  /** Records, by one call. */
  | { readonly do: 'import'; readonly count: number }
  /** A view once everything up to `upTo` has been seen. */
  | { readonly do: 'report'; readonly upTo: number };

/** What a device holds in the end. */
export interface Report {
  readonly items: readonly Item[];
  readonly records: readonly string[];
  readonly unreadable: readonly string[];
  readonly diverged: boolean;
  readonly waiting: number;
  readonly state: string;
  readonly members: readonly string[];
}
