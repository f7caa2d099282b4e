import type { DeviceId, OrgId } from '@keytide/crypto-core';

/** What a relay keeps so that lost devices can be wiped (docs/spec/wipe.md, docs/spec/unlock-lease.md). */
export interface WipeStore {
  /** Keeps a device's receipt. False, and nothing done, if it has another one. */
  putWipeReceipt(receipt: StoredWipeReceipt): Promise<boolean>;
  /** Receipts of devices after this one (`null`: from the first), by device, as many as a page holds. */
  listWipeReceipts(org: OrgId, after: DeviceId | null): Promise<readonly StoredWipeReceipt[]>;

  /**
   * Keeps a device's unlock share in place of the one before; how many wrong attempts it has. They go on being
   * counted for the same id and verifier. `null`, and nothing done, if the membership log goes further than `logSize`.
   */
  putUnlockShare(
    share: StoredUnlockShare & { readonly nowMs: number; readonly logSize: number },
  ): Promise<number | null>;
  /** Puts off the end of a device's share; how many wrong attempts it has. `null`, and nothing done, if it is not there, over, or used up. */
  renewUnlockShare(renewal: UnlockRenewal): Promise<number | null>;
  /**
   * Takes one of the attempts of a share that is not over: what it is, and how many are left. `null` without. They are
   * ten from the first one that was wrong on, for as long as the lease, and a day at least; only then they are ten again.
   */
  takeUnlockAttempt(attempt: UnlockAttempt): Promise<UnlockChance | null>;
  /** The proof was right: gives back the attempt that it took, and no other. */
  returnUnlockAttempt(org: OrgId, id: Uint8Array): Promise<void>;
  /** The shares with wrong attempts now, those with the most first, as many as a page holds. */
  listUnlockAttempts(org: OrgId, nowMs: number): Promise<readonly WrongAttempts[]>;
  /** Its attempts are used up: deletes this share, and no other that its device has given meanwhile. */
  deleteUsedUpShare(org: OrgId, id: Uint8Array): Promise<void>;
  /** Deletes a device's share; whether there was one. */
  deleteUnlockShare(org: OrgId, device: DeviceId): Promise<boolean>;
}

/** The receipt of a wiped device, as it travelled. */
export interface StoredWipeReceipt {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly wire: Uint8Array;
}

/** A device's unlock share. `id`, `share` and `verifier` have 32 bytes. */
export interface StoredUnlockShare {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly id: Uint8Array;
  readonly share: Uint8Array;
  readonly verifier: Uint8Array;
  readonly expiresMs: number;
}

/** How many of a share's attempts were wrong. */
export interface WrongAttempts {
  readonly device: DeviceId;
  readonly wrong: number;
}

/** Something was heard of a share's device at `nowMs`. */
export interface UnlockRenewal {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly id: Uint8Array;
  readonly nowMs: number;
  readonly expiresMs: number;
}

/** Somebody asks for a share. */
export interface UnlockAttempt {
  readonly org: OrgId;
  readonly id: Uint8Array;
  readonly nowMs: number;
}

/** What one attempt is about. */
export interface UnlockChance {
  readonly share: Uint8Array;
  readonly verifier: Uint8Array;
  /** Further attempts. Where it is 0 and the proof is wrong, the share has to be deleted. */
  readonly left: number;
}
