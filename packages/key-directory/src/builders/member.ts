import type { MemberId } from '@keytide/crypto-core';
import type { Role } from '../role.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/** Removes a member and all their devices, for good. @throws DirectoryError `not-permitted`, `unknown-member`, `last-admin` */
export function createRemoveMember(context: WriteContext & { readonly member: MemberId }): Uint8Array {
  return writeEntry(context, { kind: 'remove-member', member: context.member });
}

/** Gives a member another role. @throws DirectoryError `not-permitted`, `unknown-member`, `unchanged`, `last-admin` */
export function createRoleChange(
  context: WriteContext & { readonly member: MemberId; readonly role: Role },
): Uint8Array {
  return writeEntry(context, { kind: 'role', member: context.member, role: context.role });
}
