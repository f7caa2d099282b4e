import { encodeCbor, idBytes, type EntryHash, type MemberId, type OrgId } from '@keytide/crypto-core';
import { policyMap } from './body-codec.ts';
import type { DeviceKeys } from './entry-body.ts';
import type { Policy } from './policy.ts';

/** Where a new device's keys are being put: the head of the log is the fresh challenge. */
export interface JoinClaim extends DeviceKeys {
  readonly org: OrgId;
  readonly previousHash: EntryHash;
  readonly member: MemberId;
  readonly handle: string;
}

/**
 * The bytes that the invite's one-time key signs with the label `inviteSignature`, so that whoever carries
 * the entry can neither swap a key nor use it at another place (docs/spec/invite.md).
 */
export function joinClaim(claim: JoinClaim): Uint8Array {
  return encodeCbor([
    idBytes(claim.org),
    idBytes(claim.previousHash),
    idBytes(claim.member),
    claim.handle,
    claim.deviceRecord,
    claim.sealingRecord,
  ]);
}

/**
 * The bytes that the one-time key of a device's invite signs with the label `inviteSignature`: as `joinClaim`,
 * one field shorter, for a device of a member who has a name already.
 */
export function deviceClaim(claim: Omit<JoinClaim, 'handle'>): Uint8Array {
  return encodeCbor([
    idBytes(claim.org),
    idBytes(claim.previousHash),
    idBytes(claim.member),
    claim.deviceRecord,
    claim.sealingRecord,
  ]);
}

/**
 * The bytes that the recovery key signs with the label `recoverySignature`: who comes in as admin, who goes,
 * and what the policy becomes, at one head of the log.
 */
export function recoveryClaim(
  claim: JoinClaim & { readonly policy: Policy; readonly removed: readonly MemberId[] },
): Uint8Array {
  return encodeCbor([
    idBytes(claim.org),
    idBytes(claim.previousHash),
    idBytes(claim.member),
    claim.handle,
    claim.deviceRecord,
    claim.sealingRecord,
    policyMap(claim.policy),
    claim.removed.map(idBytes),
  ]);
}
