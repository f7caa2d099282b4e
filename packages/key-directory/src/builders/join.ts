import { signBytes, type MemberId, type Primitives, type Random, type Secret } from '@keytide/crypto-core';
import { joinClaim } from '../claims.ts';
import { inviteIdOf } from '../invite-id.ts';
import type { DirectoryState } from '../state.ts';
import { publishKeys, type OwnDevice } from './device-keys.ts';
import { newMemberId } from './genesis.ts';
import { writeEntry } from './sign-entry.ts';

/** What a person needs to join with an invite. */
export interface AcceptInviteInput {
  readonly primitives: Primitives;
  readonly random: Random;
  /** The log as the joiner replayed it: of the link's organisation, and through the link's checkpoint. */
  readonly state: DirectoryState;
  /** The seed from the link, 32 bytes. */
  readonly seed: Secret;
  readonly device: OwnDevice;
  readonly handle: string;
  /** Left out: a fresh one. Give the same again when an attempt is repeated. */
  readonly member?: MemberId;
  readonly nowMs: number;
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
