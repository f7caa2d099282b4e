import type { DeviceId, MemberId, Random } from '@keytide/crypto-core';
import {
  createDeviceInvite,
  createInvite,
  createPolicyChange,
  createRemoveMember,
  createRevokeDevice,
  createRevokeInvite,
  createRoleChange,
  createWipe,
  type CreatedInvite,
  type Invite,
  type InviteId,
  type Policy,
  type Role,
  type WipeTarget,
  type WriteContext,
} from '@keytide/key-directory';

/** What somebody wants to do to the organisation: written to the membership log now, or proposed to other admins. */
export type Act =
  | { readonly kind: 'role'; readonly member: MemberId; readonly role: Role }
  /** `change` is called with the policy of the moment, again when that has changed meanwhile. */
  | { readonly kind: 'policy'; readonly change: (policy: Policy) => Policy }
  | { readonly kind: 'wipe'; readonly target: WipeTarget }
  | { readonly kind: 'remove-member'; readonly member: MemberId }
  | { readonly kind: 'revoke-device'; readonly device: DeviceId }
  | { readonly kind: 'revoke-invite'; readonly invite: InviteId };

/** The wire of the entry that does it. @throws DirectoryError with which the rules refuse it */
export function writeAct(context: WriteContext, act: Act): Uint8Array {
  switch (act.kind) {
    case 'role':
      return createRoleChange({ ...context, member: act.member, role: act.role });
    case 'policy':
      return createPolicyChange({ ...context, policy: act.change(context.state.policy) });
    case 'wipe':
      return createWipe({ ...context, target: act.target });
    case 'remove-member':
      return createRemoveMember({ ...context, member: act.member });
    case 'revoke-device':
      return createRevokeDevice({ ...context, device: act.device });
    case 'revoke-invite':
      return createRevokeInvite({ ...context, invite: act.invite });
  }
}

/** An invite for somebody new, or for another device. @throws DirectoryError with which the rules refuse it */
export function writeInvite(
  context: WriteContext & { readonly random: Random },
  lets: Invite['lets'],
  validForMs: number,
): CreatedInvite {
  const expiresMs = Math.max(context.nowMs, context.state.timeMs) + validForMs;
  return lets.in === 'member'
    ? createInvite({ ...context, role: lets.role, expiresMs })
    : createDeviceInvite({ ...context, member: lets.member, expiresMs });
}
