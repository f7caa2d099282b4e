import { Secret, type MemberId, type Random } from '@keytide/crypto-core';
import { inviteIdOf, type InviteId } from '../invite-id.ts';
import type { Role } from '../role.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/** An invite to append, and the secret for its link. */
export interface CreatedInvite {
  readonly wire: Uint8Array;
  readonly id: InviteId;
  /** 32 bytes for `formatInviteLink`, once the entry is in the log. Whoever holds it can join. */
  readonly seed: Secret;
}

/**
 * Invites one person. Make the link from the state that holds the entry, so that its checkpoint does too.
 * @throws DirectoryError `not-permitted`, `invite-expired`
 */
export function createInvite(
  context: WriteContext & { readonly random: Random; readonly role: Role; readonly expiresMs: number },
): CreatedInvite {
  const { primitives, random, role, expiresMs } = context;
  const seed = random(32);
  const { publicKey } = primitives.signer(seed);
  const wire = writeEntry(context, { kind: 'invite', publicKey, role, expiresMs });
  return { wire, id: inviteIdOf(primitives, publicKey), seed: Secret.own(seed) };
}

/**
 * Lets in another device of `member`: one's own, or as an admin anybody's. The link is made and handed over as
 * that of `createInvite`.
 * @throws DirectoryError `not-permitted`, `unknown-member`, `invite-expired`, `approval-needed`
 */
export function createDeviceInvite(
  context: WriteContext & {
    readonly random: Random;
    readonly member: MemberId;
    readonly expiresMs: number;
  },
): CreatedInvite {
  const { primitives, random, member, expiresMs } = context;
  const seed = random(32);
  const { publicKey } = primitives.signer(seed);
  const wire = writeEntry(context, { kind: 'invite-device', publicKey, member, expiresMs });
  return { wire, id: inviteIdOf(primitives, publicKey), seed: Secret.own(seed) };
}

/** Takes back an invite that nobody used. @throws DirectoryError `not-permitted`, `invite-unknown`, `invite-used`, `invite-revoked` */
export function createRevokeInvite(context: WriteContext & { readonly invite: InviteId }): Uint8Array {
  return writeEntry(context, { kind: 'revoke-invite', invite: context.invite });
}
