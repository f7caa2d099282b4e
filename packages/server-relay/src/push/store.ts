import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { AtRestBytes } from '../data-store.ts';

/** Where a relay keeps who is told how that there is something new, and when (docs/spec/push.md), as part of `RelayStore`. */
export interface PushStore {
  /**
   * Keeps a device's registration in place of the one before, and takes this one from any other device of the
   * organisation. The same name again keeps its times.
   */
  putPushRegistration(registration: StoredPushRegistration): Promise<void>;
  /** Forgets a device's registration; with a name, only if it still has this name. */
  deletePushRegistration(org: OrgId, device: DeviceId, name?: Uint8Array): Promise<void>;

  /**
   * Keeps who has come and gone, each device once; `node`, 16 bytes, is this run of the relay. Who was lost, and may
   * not have got what was stored, is due at `dueMs`. How many those are.
   */
  putPresence(node: Uint8Array, changes: readonly PresenceChange[], dueMs: number): Promise<number>;
  /** Nobody is connected to other runs any more, but to nodes that hold a lease; whoever has missed what was stored is due at `dueMs`. How many those are. */
  recoverPushes(node: Uint8Array, dueMs: number): Promise<number>;
  /**
   * Something was stored for these devices (`null`: all of the organisation): those who are not connected and not due become due, at the earliest so
   * long after they were told last. How many those are.
   */
  markPushDue(org: OrgId, devices: readonly DeviceId[] | null, times: PushTimes): Promise<number>;

  /** Takes at most `most` that are due, for nobody else before `untilMs`. */
  claimPushes(nowMs: number, untilMs: number, most: number): Promise<readonly ClaimedPush[]>;
  /** When the next one is due; `null`: none is. */
  nextPushMs(): Promise<number | null>;
  /** The device was told, or is not to be told any more: it is not due, unless that has changed since the claim. Forgets an ended one. */
  settlePush(
    claim: ClaimedPush,
    settled: { readonly nowMs: number; readonly ticket: string | null },
  ): Promise<void>;
  /** Telling it has failed: it is due again at `dueMs`, unless that has changed since the claim. */
  postponePush(claim: ClaimedPush, dueMs: number): Promise<void>;
}

/** How a device is told, as it is kept. */
export interface StoredPushRegistration extends AtRestBytes {
  readonly org: OrgId;
  readonly device: DeviceId;
  /** 32 bytes that stand for how and where. */
  readonly name: Uint8Array;
}

/** A registration that is due, and claimed until `untilMs`. */
export interface ClaimedPush extends StoredPushRegistration {
  readonly untilMs: number;
  readonly tries: number;
  readonly toldMs: number;
  readonly ticket: string | null;
}

/** A device that has connected; has closed its last connection; or whose last connection was lost, with what was on its way. */
export interface PresenceChange {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly kind: 'came' | 'left' | 'lost';
}

/** When devices become due. */
export interface PushTimes {
  /** At the earliest. */
  readonly nowMs: number;
  /** So long after a device was told, if it has come since. */
  readonly intervalMs: number;
  /** So long, if it has not. */
  readonly repeatMs: number;
}
