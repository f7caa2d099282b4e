import type { DeviceId, GroupId, OrgId } from '@keytide/crypto-core';

/** Where a relay keeps access requests and their answers (docs/spec/access.md), as part of `RelayStore`. */
export interface AccessStore {
  /**
   * Keeps a request in place of the one that its device had for the group, whose answers go with it. `too-soon`, and
   * nothing done, when another of the same device came after `sinceMs`.
   */
  putAccessRequest(
    request: StoredAccessRequest & { readonly nowMs: number; readonly sinceMs: number },
  ): Promise<'kept' | 'repeated' | 'too-soon'>;
  /** The request with this hash, unless its time is over; `null` without. */
  readAccessRequest(org: OrgId, id: Uint8Array, nowMs: number): Promise<StoredAccessRequest | null>;
  /** Requests with a higher hash than `after` (`null`: all) whose time is not over, in order: at most 256. */
  listAccessRequests(org: OrgId, after: Uint8Array | null, nowMs: number): Promise<AccessRequestsPage>;
  /** Forgets a request and its answers, if it is of this device. */
  deleteAccessRequest(org: OrgId, id: Uint8Array, device: DeviceId): Promise<void>;
  /** Keeps an answer, in place of its author's earlier one. False, and nothing done, without the request, or over 16. */
  putAccessAnswer(answer: StoredAccessAnswer & { readonly nowMs: number }): Promise<boolean>;
  /** The answers to a request, in the order of their authors. */
  readAccessAnswers(org: OrgId, id: Uint8Array): Promise<readonly Uint8Array[]>;
}

/** A request as it travelled. `id` is its hash, 32 bytes. */
export interface StoredAccessRequest {
  readonly org: OrgId;
  readonly id: Uint8Array;
  readonly group: GroupId;
  readonly device: DeviceId;
  readonly wire: Uint8Array;
  readonly expiresMs: number;
}

/** An answer as it travelled, to the request with this hash. */
export interface StoredAccessAnswer {
  readonly org: OrgId;
  readonly id: Uint8Array;
  readonly author: DeviceId;
  readonly wire: Uint8Array;
}

/** Part of the requests of an organisation; `more` says whether there is another part. */
export interface AccessRequestsPage {
  readonly requests: readonly StoredAccessRequest[];
  readonly more: boolean;
}
