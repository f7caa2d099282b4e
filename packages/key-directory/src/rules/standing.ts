import type { MemberId } from '@keytide/crypto-core';
import type { BodyOf, EntryKind } from '../entry-body.ts';
import type { Entry } from '../entry.ts';
import { DirectoryError } from '../errors.ts';
import type { Device, DirectoryFacts, Member } from '../state.ts';

/** An entry of one kind. */
export type EntryOf<K extends EntryKind> = Entry & { readonly body: BodyOf<K> };

/** The device that signed an entry and whose it is; both active. */
export interface Author {
  readonly device: Device;
  readonly member: Member;
}

/** @throws DirectoryError `not-permitted` unless the author's member is an admin at this point of the log */
export function requireAdmin(author: Author): void {
  if (author.member.role !== 'admin') throw new DirectoryError('not-permitted', 'only an admin may do this');
}

/** @throws DirectoryError `not-permitted` unless the author is an admin or acts for itself */
export function requireAdminOrSelf(author: Author, member: MemberId): void {
  if (author.member.id !== member) requireAdmin(author);
}

/** The member, if present now. @throws DirectoryError `unknown-member` */
export function requirePresent(facts: DirectoryFacts, id: MemberId): Member {
  const member = facts.members.get(id);
  if (member === undefined || member.removedAt !== null)
    throw new DirectoryError('unknown-member', 'not a member of the organisation');
  return member;
}
