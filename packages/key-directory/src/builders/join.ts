import { signBytes, type MemberId, type Primitives, type Random, type Secret } from '@keytide/crypto-core';
import { deviceClaim, joinClaim } from '../claims.ts';
import { DirectoryError } from '../errors.ts';
import { inviteIdOf } from '../invite-id.ts';
import type { DirectoryState } from '../state.ts';
import { publishKeys, type OwnDevice } from './device-keys.ts';
import { newMemberId } from './genesis.ts';
import { writeEntry } from './sign-entry.ts';

/** What a new device needs to come in with an invite. */
export interface AcceptDeviceInviteInput {
  readonly primitives: Primitives;
  /** The log as the device replayed it: of the link's organisation, and through the link's checkpoint. */
  readonly state: DirectoryState;
  /** The seed from the link, 32 bytes. */
  readonly seed: Secret;
  readonly device: OwnDevice;
  readonly nowMs: number;
}

/** What a person needs to join with an invite. */
export interface AcceptInviteInput extends AcceptDeviceInviteInput {
  readonly random: Random;
  readonly handle: string;
  /** Left out: a fresh one. Give the same again when an attempt is repeated. */
  readonly member?: MemberId;
}

/**
 * Joins: the wire of an entry that continues `state`. When the head has moved meanwhile, pull and call again.
 * @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked`, `invite-expired`, `bad-handle`, `bad-sealing-record`, `id-reused`, `already-member`
 */
export function acceptInvite(input: AcceptInviteInput): Uint8Array {
  const { primitives, state, device, handle, nowMs } = input;
  const invite = input.seed.use((seed) => primitives.signer(seed));
  const member = input.member ?? newMemberId(input.random);
  const keys = publishKeys(primitives, device);
  const claim = joinClaim({ org: state.org, previousHash: state.headHash, member, handle, ...keys });
  return writeEntry(
    { primitives, state, signer: device.signer, nowMs },
    {
      kind: 'join',
      invite: inviteIdOf(primitives, invite.publicKey),
      member,
      handle,
      ...keys,
      inviteSignature: signBytes(primitives, invite, 'inviteSignature', claim),
    },
  );
}

/**
 * Comes in as another device of the member whom the invite names: the wire of an entry that continues `state`.
 * When the head has moved meanwhile, pull and call again.
 * @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked`, `invite-expired`, `not-permitted` (the
 * invite is for a new member), `unknown-member`, `too-many-devices`, `bad-sealing-record`, `id-reused`
 */
export function acceptDeviceInvite(input: AcceptDeviceInviteInput): Uint8Array {
  const { primitives, state, device, nowMs } = input;
  const signer = input.seed.use((seed) => primitives.signer(seed));
  const id = inviteIdOf(primitives, signer.publicKey);
  const invite = state.invites.get(id);
  if (invite === undefined) throw new DirectoryError('invite-unknown', 'no such invite');
  if (invite.lets.in !== 'device')
    throw new DirectoryError('not-permitted', 'this invite lets in a new member');
  const { member } = invite.lets;
  const keys = publishKeys(primitives, device);
  const claim = deviceClaim({ org: state.org, previousHash: state.headHash, member, ...keys });
  const inviteSignature = signBytes(primitives, signer, 'inviteSignature', claim);
  return writeEntry(
    { primitives, state, signer: device.signer, nowMs },
    { kind: 'add-device', invite: id, ...keys, inviteSignature },
  );
}
