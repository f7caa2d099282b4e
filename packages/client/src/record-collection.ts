import { sorted, toHex } from '@keytide/crypto-core';
import { z } from 'zod';
import { accepted, invalidValue, type Body } from './body.ts';
import type { AnyCollection, CollectionContext, CollectionOptions, Declaration } from './collection.ts';
import { ClientError } from './errors.ts';
import { Changes } from './changes.ts';
import { Feed } from './feed.ts';
import type { Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import { bodyOf, emptyRecord, mergeWrite, type MergedRecord, type RecordWrite } from './record.ts';

/** End-to-end encrypted records whose fields change; concurrent edits merge field by field. */
export interface RecordDeclaration<T extends Body> extends Declaration<RecordCollection<T>> {
  readonly class: 'sensitive';
  readonly kind: 'record';
  readonly schema: z.ZodObject & z.ZodType<T>;
  /** The same fields, each optional: what an edit must fit. Rules across fields are for whole records. */
  readonly editSchema: z.ZodType<Partial<T>>;
  readonly retentionDays: number | null;
}

/** A record as it stands now. */
export interface RecordView<T extends Body> {
  /** 32 hex characters, chosen by the creator at random. */
  readonly id: string;
  readonly body: T;
}

/** One change to a record, as it arrived. */
export interface RecordChange<T extends Body> extends Origin {
  readonly id: string;
  readonly act: 'create' | 'edit';
  readonly changed: Partial<T>;
}

/** How far `createMany` has come. */
export interface ImportProgress {
  readonly done: number;
  readonly total: number;
}

const RECORD_ID = /^[0-9a-f]{32}$/;
const CHUNK = 100;

/** Declares records whose fields change. */
export function declareRecord<T extends Body>(
  schema: z.ZodObject & z.ZodType<T>,
  options: CollectionOptions = {},
): RecordDeclaration<T> {
  const declaration: RecordDeclaration<T> = {
    class: 'sensitive',
    kind: 'record',
    schema,
    editSchema: z.object(schema.shape).partial() as unknown as z.ZodType<never>,
    retentionDays: options.retentionDays ?? null,
    open: (context) => new RecordCollection(declaration, context),
  };
  return declaration;
}

/** End-to-end encrypted records: forms whose fields change. */
export class RecordCollection<T extends Body> implements AnyCollection {
  readonly #declaration: Pick<RecordDeclaration<T>, 'schema' | 'editSchema'>;
  readonly #context: CollectionContext;
  readonly #records = new Map<string, MergedRecord>();
  /** What each record is merged from. */
  readonly #writes = new Map<string, { readonly epoch: number; readonly write: RecordWrite }[]>();
  readonly #feed = new Feed<RecordChange<T>>();
  readonly #changes = new Changes();
  /** One view of each state of a record, so that a view stays the same object until the record changes. */
  readonly #views = new WeakMap<MergedRecord, RecordView<T>>();
  readonly #seen = new Set<number>();

  constructor(declaration: Pick<RecordDeclaration<T>, 'schema' | 'editSchema'>, context: CollectionContext) {
    this.#declaration = declaration;
    this.#context = context;
  }

  /**
   * Creates a record and returns its id. Resolves once it is durable in this device's outbox.
   * @throws ClientError `invalid-value`, `too-large`, `not-ready`, `closed`
   */
  async create(body: T): Promise<string> {
    const [id] = await this.createMany([body]);
    return id as string;
  }

  /**
   * Creates records, in order, durable chunk by chunk; returns their ids.
   * All bodies are checked first: one that does not fit writes nothing.
   * @throws ClientError `invalid-value`, `too-large`, `not-ready`, `closed`
   */
  async createMany(bodies: readonly T[], onProgress?: (progress: ImportProgress) => void): Promise<string[]> {
    const { name, submit, random } = this.#context;
    const parsed = bodies.map((body) => {
      const result = this.#declaration.schema.safeParse(body);
      if (!result.success) throw invalidValue(name, result.error);
      return result.data as T;
    });
    const ids: string[] = [];
    for (let start = 0; start < parsed.length; start += CHUNK) {
      const operations = parsed.slice(start, start + CHUNK).map((body) => {
        const id = toHex(random(16));
        ids.push(id);
        return { act: 'create' as const, collection: name, item: id, body };
      });
      await submit(operations);
      onProgress?.({ done: ids.length, total: parsed.length });
    }
    return ids;
  }

  /**
   * Changes some fields of a record; fields left out stay as they are.
   * @throws ClientError `unknown-record`, `invalid-value`, `too-large`, `not-ready`, `closed`
   */
  async edit(id: string, changes: Partial<T>): Promise<void> {
    const { name, submit } = this.#context;
    if (!this.#records.get(id)?.created) {
      throw new ClientError('unknown-record', `${name} has no record ${id} on this device`);
    }
    const parsed = this.#declaration.editSchema.safeParse(changes);
    if (!parsed.success) throw invalidValue(name, parsed.error);
    await submit([
      { act: 'edit', collection: name, item: id, body: onlyGiven(parsed.data as Body, changes) },
    ]);
  }

  /** The record, or `null` when this device knows none with this id: the same object until it has changed. */
  get(id: string): RecordView<T> | null {
    const record = this.#records.get(id);
    return record?.created ? this.#viewOf(record) : null;
  }

  /** All records, by id: the same array until one of them has changed. */
  list(): readonly RecordView<T>[] {
    return this.#changes.kept('all', () => {
      const created = [...this.#records.values()].filter((record) => record.created);
      const views = created.map((record) => this.#viewOf(record));
      return sorted(views, (a, b) => (a.id < b.id ? -1 : 1));
    });
  }

  /** Calls `listener` when `get` or `list` may give something else; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Yields every change so far, then what comes, until `signal` is aborted or the client closes. */
  follow(signal?: AbortSignal): AsyncGenerator<RecordChange<T>, void, undefined> {
    return this.#feed.follow(signal);
  }

  /** Takes an authenticated operation in; `false` when it breaks the collection's rules. For the client only. */
  accept(operation: Operation, origin: Origin): boolean {
    const { act, item: id, time } = operation;
    if (act === 'append' || !RECORD_ID.test(id)) return false;
    const { schema, editSchema } = this.#declaration;
    const parsed = accepted(act === 'create' ? schema : editSchema, operation.body);
    if (parsed === null) return false;
    if (this.#seen.has(origin.seq)) return true;
    this.#seen.add(origin.seq);
    const body = act === 'edit' ? onlyGiven(parsed, operation.body) : parsed;
    const write = { time, device: origin.device, creates: act === 'create', body };
    this.#records.set(id, mergeWrite(this.#records.get(id) ?? emptyRecord(id), write));
    const writes = this.#writes.get(id);
    if (writes === undefined) this.#writes.set(id, [{ epoch: origin.epoch, write }]);
    else writes.push({ epoch: origin.epoch, write });
    this.#changes.changed();
    this.#feed.push({ ...origin, id, act, changed: body as Partial<T> });
    return true;
  }

  /**
   * Lets go of what was written in this epoch or before: a record is what the writes since then make of it. For the
   * client only.
   */
  forget(throughEpoch: number): void {
    const dropped = this.#feed.drop(({ epoch }) => epoch <= throughEpoch);
    for (const { seq } of dropped) this.#seen.delete(seq);
    for (const id of new Set(dropped.map((change) => change.id))) {
      const left = (this.#writes.get(id) ?? []).filter(({ epoch }) => epoch > throughEpoch);
      this.#writes.set(id, left);
      this.#records.set(
        id,
        left.reduce((record, { write }) => mergeWrite(record, write), emptyRecord(id)),
      );
      if (left.length > 0) continue;
      this.#writes.delete(id);
      this.#records.delete(id);
    }
    if (dropped.length > 0) this.#changes.changed();
  }

  /** Tells whoever subscribed, where anything has changed since. For the client only. */
  tell(): void {
    this.#changes.tell();
  }

  /** Ends every `follow`. For the client only. */
  end(): void {
    this.#feed.end();
  }

  #viewOf(record: MergedRecord): RecordView<T> {
    const view = this.#views.get(record) ?? { id: record.id, body: bodyOf(record) as T };
    this.#views.set(record, view);
    return view;
  }
}

/** A schema's defaults are for new records: in an edit they would reset every field that it leaves out. */
function onlyGiven(parsed: Body, given: Body): Body {
  const names = new Set(Object.keys(given));
  return Object.fromEntries(Object.entries(parsed).filter(([name]) => names.has(name)));
}
