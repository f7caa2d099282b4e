import type { Role } from '@keytide/key-directory';
import type { Body } from './body.ts';
import { ownerOf } from './record-id.ts';

/** Who may write: members with a role, or the member who created the record, whatever their role. */
export type Writer = Role | 'owner';

/** Who may do what to the records of a collection, by the role that counts when it is written. */
export interface RecordRules<T extends Body> {
  /** Who creates records. Left out: every member. */
  readonly create?: readonly Role[];
  /** Who changes a record: all fields, or each by its name. Fields that are left out: every member. */
  readonly edit?: readonly Writer[] | { readonly [Field in keyof T]?: readonly Writer[] };
  /** Who removes a record. Left out: admins and its owner. */
  readonly remove?: readonly Writer[];
}

/** Who wants to write to which record. */
export interface RecordAuthor {
  readonly member: string;
  readonly role: Role;
  /** The record's id. */
  readonly id: string;
}

const REMOVERS: readonly Writer[] = ['admin', 'owner'];

/**
 * Whether the author may write the whole record: its owner who may create records, or an admin, who says again what
 * somebody else has created.
 */
export function mayCreate({ create }: RecordRules<Body>, { member, role, id }: RecordAuthor): boolean {
  return ownerOf(id) === member ? (create?.includes(role) ?? true) : role === 'admin';
}

/** Whether the author may remove the record. */
export function mayRemove({ remove = REMOVERS }: RecordRules<Body>, author: RecordAuthor): boolean {
  return isAmong(remove, author);
}

/** Those of the fields that the author may not change. */
export function closedFields(
  { edit }: RecordRules<Body>,
  author: RecordAuthor,
  fields: readonly string[],
): string[] {
  return fields.filter((field) => {
    const writers = isList(edit) ? edit : writersOf(edit, field);
    return writers !== undefined && !isAmong(writers, author);
  });
}

/** @throws TypeError for a rule about a field that the schema does not have */
export function requireKnownFields({ edit }: RecordRules<Body>, fields: readonly string[]): void {
  if (edit === undefined || isList(edit)) return;
  for (const field of Object.keys(edit))
    if (!fields.includes(field))
      throw new TypeError(`a rule for '${field}', which is no field of the schema`);
}

/** A field may be called what every object has, `constructor` for one: only what the rules name counts. */
function writersOf(edit: Exclude<RecordRules<Body>['edit'], readonly Writer[]>, field: string) {
  return edit !== undefined && Object.prototype.hasOwnProperty.call(edit, field) ? edit[field] : undefined;
}

function isAmong(writers: readonly Writer[], { member, role, id }: RecordAuthor): boolean {
  return writers.includes(role) || (writers.includes('owner') && ownerOf(id) === member);
}

function isList(edit: RecordRules<Body>['edit']): edit is readonly Writer[] {
  return Array.isArray(edit);
}
