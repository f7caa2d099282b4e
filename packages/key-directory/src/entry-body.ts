import type { DeviceId, GroupId, MemberId } from '@keytide/crypto-core';
import type { InviteId } from './invite-id.ts';
import type { Policy } from './policy.ts';
import type { Role } from './role.ts';

/** The keys of a device that enters the log; both byte strings in the formats of docs/spec/keys-and-sealing.md. */
export interface DeviceKeys {
  readonly deviceRecord: Uint8Array;
  /** The signed sealing record as it travels. */
  readonly sealingRecord: Uint8Array;
}

/** What one entry does; the layouts are in docs/spec/membership-log.md. */
export type EntryBody =
  | (DeviceKeys & {
      readonly kind: 'genesis';
      /** 32 bytes: makes the organisation's id unique and unguessable. */
      readonly random: Uint8Array;
      readonly policy: Policy;
      readonly member: MemberId;
      readonly handle: string;
    })
  | {
      readonly kind: 'invite';
      /** Ed25519, 32 bytes. */
      readonly publicKey: Uint8Array;
      readonly role: Role;
      readonly expiresMs: number;
    }
  | { readonly kind: 'revoke-invite'; readonly invite: InviteId }
  | (DeviceKeys & {
      readonly kind: 'join';
      readonly invite: InviteId;
      readonly member: MemberId;
      readonly handle: string;
      /** 64 bytes, by the invite's key over `joinClaim`. */
      readonly inviteSignature: Uint8Array;
    })
  | {
      readonly kind: 'invite-device';
      /** Ed25519, 32 bytes. */
      readonly publicKey: Uint8Array;
      /** Whose device it lets in. */
      readonly member: MemberId;
      readonly expiresMs: number;
    }
  | (DeviceKeys & {
      readonly kind: 'add-device';
      readonly invite: InviteId;
      /** 64 bytes, by the invite's key over `deviceClaim`. */
      readonly inviteSignature: Uint8Array;
    })
  | { readonly kind: 'revoke-device'; readonly device: DeviceId }
  | { readonly kind: 'remove-member'; readonly member: MemberId }
  | { readonly kind: 'role'; readonly member: MemberId; readonly role: Role }
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'wipe'; readonly target: WipeTarget }
  | {
      readonly kind: 'grant';
      /** 32 bytes: names the access request that was granted. */
      readonly request: Uint8Array;
      /** Which device was given keys, and of what. */
      readonly device: DeviceId;
      readonly group: GroupId;
      readonly firstEpoch: number;
      readonly lastEpoch: number;
    }
  | {
      readonly kind: 'deletion-receipt';
      readonly group: GroupId;
      /** What the relay has deleted: the entries of the group's log from `firstSeq` to `lastSeq`, both included. */
      readonly firstSeq: number;
      readonly lastSeq: number;
      /** 32 bytes: root of the group's log at `lastSeq`. */
      readonly root: Uint8Array;
    }
  | {
      readonly kind: 'aggregates';
      /** What the published numbers are of: the name of a collection. */
      readonly dataset: string;
      /** The period, in ms since 1970: from the first to before the second. */
      readonly fromMs: number;
      readonly toMs: number;
      /** What its noise costs of the policy's privacy budget, in thousandths; 0 without noise. */
      readonly epsilonMilli: number;
      /** 32 bytes: the hash of the release. */
      readonly release: Uint8Array;
    }
  | (DeviceKeys & {
      readonly kind: 'recovery';
      /** The admin that the recovery key puts in. */
      readonly member: MemberId;
      readonly handle: string;
      /** Takes the place of the policy. */
      readonly policy: Policy;
      /** Members who go at the same time, in the order of their ids. */
      readonly removed: readonly MemberId[];
      /** 64 bytes, by the policy's recovery key over `recoveryClaim`. */
      readonly recoverySignature: Uint8Array;
    });

/** Whose devices are to destroy everything they hold. */
export type WipeTarget =
  | { readonly of: 'device'; readonly device: DeviceId }
  | { readonly of: 'member'; readonly member: MemberId }
  | { readonly of: 'everyone-but-admins' };

/** The kinds of entries. */
export type EntryKind = EntryBody['kind'];

/** The body of one kind. */
export type BodyOf<K extends EntryKind> = Extract<EntryBody, { kind: K }>;
