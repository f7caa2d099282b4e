import type { DeviceId, OrgId } from '@keytide/crypto-core';

/** Where a relay keeps the pre-keys that devices have it hand out (docs/spec/pre-keys.md). It reads none of them. */
export interface PreKeyStore {
  /**
   * Keeps the newest bundle of a device in the place of the one before, and adds one-time pairs to those that are
   * left: all or nothing. False, and nothing done, when the pairs would be more than `most`.
   */
  putPreKeys(put: PreKeyPut): Promise<boolean>;
  /** How many one-time pairs of a device are left; `null` without a bundle that is in force at `nowMs`. */
  countPreKeys(org: OrgId, device: DeviceId, nowMs: number): Promise<number | null>;
  /** The bundle of a device that is in force at `nowMs` with its oldest one-time pair, which nobody gets again; `null` without a bundle. */
  takePreKeys(org: OrgId, device: DeviceId, nowMs: number): Promise<StoredPreKeys | null>;
}

/** What a device hands in. */
export interface PreKeyPut {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly bundle: Uint8Array;
  readonly oneTime: readonly Uint8Array[];
  /** Pairs that are left are dropped. */
  readonly replacesAll: boolean;
  readonly expiresMs: number;
  readonly most: number;
}

/** What one who starts a session is given. */
export interface StoredPreKeys {
  readonly bundle: Uint8Array;
  readonly oneTime: Uint8Array | null;
}
