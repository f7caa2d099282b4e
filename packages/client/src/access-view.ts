import type { DeviceId, MemberId } from '@keytide/crypto-core';
import type { Role } from '@keytide/key-directory';
import type { AccessNeed } from './entitlement.ts';
import type { AnswerRejection } from './judge-answer.ts';
import type { RequestRejection } from './read-request.ts';

/** Epochs that somebody asks for, and the time in which they were used, in milliseconds since 1970. */
export interface AccessRange {
  readonly firstEpoch: number;
  readonly lastEpoch: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A request that waits for this admin's word. */
export interface AccessRequestView {
  /** What `approve` and `refuse` take. */
  readonly id: string;
  readonly member: MemberId;
  readonly handle: string;
  readonly role: Role;
  readonly device: DeviceId;
  /** What would be given. */
  readonly gives: AccessRange;
  /** When the device asked, by its own clock; milliseconds since 1970. */
  readonly askedMs: number;
  /** Why a person has to decide: at least one. */
  readonly needs: readonly AccessNeed[];
}

/** This device's own request while it waits for an answer. */
export interface OwnRequestView extends AccessRange {
  readonly id: string;
  readonly askedMs: number;
}

/** What a client tells of access requests. */
export type AccessEvent =
  /** Admins: what waits for their word has changed. */
  | { readonly kind: 'inbox'; readonly requests: readonly AccessRequestView[] }
  /** This device was given keys, and shows what they open. */
  | { readonly kind: 'granted'; readonly epochs: readonly number[]; readonly by: MemberId }
  /** An admin said no, in their own words. */
  | { readonly kind: 'refused'; readonly reason: string; readonly by: MemberId }
  /** The relay showed a request or an answer that does not hold. Told once for each. */
  | { readonly kind: 'rejected'; readonly what: 'request'; readonly code: RequestRejection }
  | { readonly kind: 'rejected'; readonly what: 'answer'; readonly code: AnswerRejection };
