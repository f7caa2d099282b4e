import type { MergeRecords, MergingRecord, RecordChange } from '@keytide/archive/formats';
import { CryptoError, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { ROLES } from '@keytide/key-directory';
import { z } from 'zod';
import type { Body } from './body.ts';
import type { Declarations } from './collection.ts';
import { notAfter } from './hybrid-clock.ts';
import type { RecordDeclaration } from './record-collection.ts';
import { closedFields } from './record-rules.ts';
import { writeOf } from './record-write.ts';
import { bodyOf, emptyRecord, mergeWrite, type RecordWrite } from './record.ts';
import type { RejectionCode } from './rejection.ts';

type Form = Pick<RecordDeclaration<Body>, 'schema' | 'editSchema' | 'rules'>;

/** What is asked where the application is not known: whoever exported it has judged it. */
const ANY: Form = {
  schema: z.looseObject({}),
  editSchema: z.looseObject({}),
  rules: { create: ROLES, remove: ROLES },
};

/**
 * Merges the records of an archive as the devices of these collections do (docs/spec/operations.md). Fields that the
 * schema does not know stay as they were written, by the rule for all fields. Records of other collections are merged
 * as if everybody might do everything: there, what its author only filled in counts as a change.
 */
export function recordMerge(definition: Declarations): MergeRecords {
  const forms = new Map(
    Object.entries(definition).flatMap(([name, declaration]): [string, Form][] =>
      declaration.kind === 'record' ? [[name, declaration as unknown as Form]] : [],
    ),
  );
  return (collection, id) => mergingRecord(forms.get(collection) ?? ANY, id);
}

function mergingRecord(form: Form, id: string): MergingRecord {
  let record = emptyRecord(id);
  return {
    take(change) {
      const write = wholeWrite(form, change);
      if (typeof write === 'string') return false;
      record = mergeWrite(record, write);
      return true;
    },
    get isCreated() {
      return record.created;
    },
    get isRemoved() {
      return record.removed;
    },
    get body() {
      const fields = Object.entries(bodyOf(record)).map(([name, value]) => [name, plain(value)]);
      return Object.fromEntries(fields) as MergingRecord['body'];
    },
  };
}

/** The write of a device, and what it says of fields that the schema does not know. */
function wholeWrite(form: Form, change: RecordChange): RecordWrite | RejectionCode {
  const { ms, counter, endMs, member, role, item: id, body } = change;
  const time = notAfter({ ms, counter }, endMs ?? Infinity);
  const write = writeOf(form, { ...change, time }, change);
  if (typeof write === 'string') return write;
  const known = Object.keys(form.schema.shape);
  const unknown = Object.keys(body).filter((name) => !known.includes(name));
  const closed = closedFields(form.rules, { member, role, id }, unknown);
  const open = write.act === 'create' ? unknown : unknown.filter((name) => !closed.includes(name));
  const added = Object.fromEntries(open.map((name) => [name, body[name]]));
  return { ...write, body: { ...added, ...write.body }, initial: [...write.initial, ...closed] };
}

/** What a schema makes of a value may be nothing that an archive could say: then as JSON has it. */
function plain(value: unknown): CborValue {
  try {
    encodeCbor(value as CborValue);
    return value as CborValue;
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return JSON.parse(JSON.stringify(value, bigAsText) ?? 'null') as CborValue;
  }
}

function bigAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
