import { z } from 'zod';

/** What the application stores in sensitive collections: a flat or nested value of JSON's types, as an object. */
export type Body = { readonly [field: string]: unknown };

/** How long a collection's content may stay readable on non-admin devices, within the organisation's own limit. */
export interface CollectionOptions {
  /** Days; default: the organisation's retention window. */
  readonly retentionDays?: number;
}

/** An end-to-end encrypted list of messages: they are added, never changed. */
export interface LogDeclaration<T extends Body> {
  readonly class: 'sensitive';
  readonly kind: 'log';
  readonly schema: z.ZodType<T>;
  readonly retentionDays: number | null;
}

/** End-to-end encrypted records whose fields change; concurrent edits merge field by field. */
export interface RecordDeclaration<T extends Body> {
  readonly class: 'sensitive';
  readonly kind: 'record';
  readonly schema: z.ZodObject & z.ZodType<T>;
  /** The same fields, each optional: what an edit must fit. Rules across fields are for whole records. */
  readonly editSchema: z.ZodType<Partial<T>>;
  readonly retentionDays: number | null;
}

// `any`: a record of declarations must accept each declaration's own type.
// oxlint-disable-next-line no-explicit-any
export type Declaration = LogDeclaration<any> | RecordDeclaration<any>;

/** The collections of one application, by name. */
export type Declarations = { readonly [name: string]: Declaration };

/** Declares sensitive collections: readable on members' devices only. */
export const sensitive: {
  log<T extends Body>(schema: z.ZodType<T>, options?: CollectionOptions): LogDeclaration<T>;
  record<T extends Body>(
    schema: z.ZodObject & z.ZodType<T>,
    options?: CollectionOptions,
  ): RecordDeclaration<T>;
} = {
  log: (schema, options = {}) => ({
    class: 'sensitive',
    kind: 'log',
    schema,
    retentionDays: options.retentionDays ?? null,
  }),
  record: (schema, options = {}) => ({
    class: 'sensitive',
    kind: 'record',
    schema,
    editSchema: z.object(schema.shape).partial() as unknown as z.ZodType<never>,
    retentionDays: options.retentionDays ?? null,
  }),
};

/** Declares the application's collections once; the result is handed to `createOrganisation`, `join` and `connect`. */
export function defineOrganisation<T extends Declarations>(declarations: T): T {
  for (const name of Object.keys(declarations)) {
    if (!/^[a-z][a-zA-Z0-9]{0,31}$/.test(name)) {
      throw new TypeError(`collection name '${name}': a letter a-z, then up to 31 letters or digits`);
    }
  }
  return declarations;
}
