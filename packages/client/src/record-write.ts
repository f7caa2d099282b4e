import type { z } from 'zod';
import { accepted, type Body } from './body.ts';
import type { Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import { ownerOf } from './record-id.ts';
import { closedFields, mayCreate, mayRemove, type RecordRules } from './record-rules.ts';
import type { RecordWrite } from './record.ts';
import type { RejectionCode } from './rejection.ts';

/** What a collection of records asks of what is written to it. */
export interface RecordForm {
  readonly schema: z.ZodType<Body>;
  /** What an edit must fit. */
  readonly editSchema: z.ZodType<Body>;
  readonly rules: RecordRules<Body>;
}

/**
 * The write that an operation is, or why it changes nothing. Looks at nothing but the operation, its author and the
 * author's role, so that every replica, and who reads an archive, decides alike.
 */
export function writeOf(
  form: RecordForm,
  { act, item: id, time, body: given }: Pick<Operation, 'act' | 'item' | 'time' | 'body'>,
  { device, member, role }: Pick<Origin, 'device' | 'member' | 'role'>,
): RecordWrite | RejectionCode {
  if (act === 'append') return 'unknown-act';
  if (ownerOf(id) === null) return 'malformed';
  const body = readBody(form, act, given);
  if (body === null) return 'schema';
  const write = { act, time, device, body };
  const author = { member, role, id };
  const closed = closedFields(form.rules, author, Object.keys(body));
  if (act === 'edit') return closed.length > 0 ? 'field' : { ...write, initial: [] };
  const may = act === 'create' ? mayCreate(form.rules, author) : mayRemove(form.rules, author);
  return may ? { ...write, initial: closed } : 'role';
}

/** A schema's defaults are for new records: in an edit they would reset every field that it leaves out. */
export function onlyGiven(parsed: Body, given: Body): Body {
  const names = new Set(Object.keys(given));
  return Object.fromEntries(Object.entries(parsed).filter(([name]) => names.has(name)));
}

/** What a peer wrote, if it fits. */
function readBody({ schema, editSchema }: RecordForm, act: RecordWrite['act'], body: Body): Body | null {
  if (act === 'create') return accepted(schema, body);
  if (act === 'remove') return Object.keys(body).length === 0 ? body : null;
  const parsed = accepted(editSchema, body);
  return parsed === null ? null : onlyGiven(parsed, body);
}
