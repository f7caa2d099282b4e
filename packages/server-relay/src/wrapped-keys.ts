import type { OrgId } from '@keytide/crypto-core';

/** Keys that are kept wrapped, each at its place: what `rewrapKeys` goes through. */
export interface WrappedKeys {
  /** How many are wrapped by another key than this. */
  countOthers(wrappingKey: string): Promise<number>;
  /** Those that are wrapped by another key than this, in the order of their places, after one; at most `limit`. */
  listOthers(wrappingKey: string, after: KeyPlace | null, limit: number): Promise<readonly WrappedKey[]>;
  /** Puts `next` in the place of exactly this one. False, and nothing done, if it is not there any more. */
  replace(key: WrappedKey, next: Wrapping): Promise<boolean>;
}

/** Where a key is: of an organisation, by number. */
export interface KeyPlace {
  readonly org: OrgId;
  readonly number: number;
}

/** What a key is wrapped by, and into what. */
export interface Wrapping {
  readonly wrappingKey: string;
  readonly wrapped: Uint8Array;
}

/** A wrapped key at its place. */
export interface WrappedKey extends KeyPlace, Wrapping {}
