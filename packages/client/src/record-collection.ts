import { z } from 'zod';
import { invalidValue, type Body } from './body.ts';
import type { AnyCollection, CollectionContext, Declaration } from './collection.ts';
import { ClientError } from './errors.ts';
import { Changes } from './changes.ts';
import { Feed } from './feed.ts';
import type { Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import { newRecordId, ownerOf } from './record-id.ts';
import { RecordLedger, type RecordOperation } from './record-ledger.ts';
import { closedFields, mayCreate, mayRemove, requireKnownFields, type RecordRules } from './record-rules.ts';
import { onlyGiven, writeOf } from './record-write.ts';
import { bodyOf, type MergedRecord } from './record.ts';
import type { RejectionCode } from './rejection.ts';
import { retainedBy, type CollectionOptions, type Retained } from './retained.ts';

/** End-to-end encrypted records whose fields change; concurrent edits merge field by field. */
export interface RecordDeclaration<T extends Body> extends Declaration<RecordCollection<T>>, Retained {
  readonly class: 'sensitive';
  readonly kind: 'record';
  readonly schema: z.ZodObject & z.ZodType<T>;
  /** The same fields, each optional: what an edit must fit. Rules across fields are for whole records. */
  readonly editSchema: z.ZodType<Partial<T>>;
  readonly rules: RecordRules<T>;
}

/** Who may do what to the records of a collection, and how long they stay. */
export interface RecordOptions<T extends Body> extends RecordRules<T>, CollectionOptions {}

/** A record as it stands now. */
export interface RecordView<T extends Body> {
  /** 64 hexadecimal characters: 32 drawn at random, then the member id of whoever created it. */
  readonly id: string;
  readonly body: T;
  /** Whether something that was written to it here is not yet in the group's log, so that nobody else can know of it. */
  readonly pending: boolean;
}

/** One change to a record, as it arrived. */
export interface RecordChange<T extends Body> extends Origin {
  readonly id: string;
  readonly act: RecordOperation['act'];
  readonly changed: Partial<T>;
}

/** How far `createMany` has come. */
export interface ImportProgress {
  readonly done: number;
  readonly total: number;
}

const CHUNK = 100;

/**
 * Declares records whose fields change. Without rules every member creates them and changes every field, and admins
 * and a record's owner remove it.
 * @throws TypeError for a rule about a field that the schema does not have
 */
export function declareRecord<T extends Body>(
  schema: z.ZodObject & z.ZodType<T>,
  options: RecordOptions<NoInfer<T>> = {},
): RecordDeclaration<T> {
  requireKnownFields(options, Object.keys(schema.shape));
  const declaration: RecordDeclaration<T> = {
    class: 'sensitive',
    kind: 'record',
    schema,
    editSchema: z.object(schema.shape).partial() as unknown as z.ZodType<never>,
    rules: options,
    ...retainedBy(options),
    open: (context) => new RecordCollection(declaration, context),
  };
  return declaration;
}

/** What records need of a client. */
type RecordContext = Pick<CollectionContext, 'name' | 'submit' | 'random' | 'author'>;

/** End-to-end encrypted records: forms whose fields change. */
export class RecordCollection<T extends Body> implements AnyCollection {
  readonly #declaration: Pick<RecordDeclaration<T>, 'schema' | 'editSchema' | 'rules'>;
  readonly #context: RecordContext;
  readonly #ledger = new RecordLedger();
  readonly #feed = new Feed<RecordChange<T>>();
  readonly #changes = new Changes();
  /** Removed records that would come back once the removal is over. */
  readonly #outlived = new Set<string>();
  /** One view of each state of a record, so that a view stays the same object until the record changes. */
  readonly #views = new WeakMap<MergedRecord, RecordView<T>>();

  constructor(
    declaration: Pick<RecordDeclaration<T>, 'schema' | 'editSchema' | 'rules'>,
    context: RecordContext,
  ) {
    this.#declaration = declaration;
    this.#context = context;
  }

  /**
   * Creates a record and returns its id, which stays the same. Resolves once it is durable in this device's outbox:
   * from then on it is shown, edited and removed like any other, also without the network and after a restart, and is
   * `pending` until the relay has it.
   * @throws ClientError `invalid-value`, `not-allowed`, `too-large`, `not-ready`, `closed`
   */
  async create(body: T): Promise<string> {
    const [id] = await this.createMany([body]);
    return id as string;
  }

  /**
   * Creates records, in order, durable chunk by chunk; returns their ids.
   * All bodies are checked first: one that does not fit writes nothing.
   * @throws ClientError `invalid-value`, `not-allowed`, `too-large`, `not-ready`, `closed`
   */
  async createMany(bodies: readonly T[], onProgress?: (progress: ImportProgress) => void): Promise<string[]> {
    const { submit, random, author } = this.#context;
    const owner = author().member;
    const operations = bodies.map((body) => this.#whole(newRecordId(random, owner), body));
    for (let start = 0; start < operations.length; start += CHUNK) {
      await submit(operations.slice(start, start + CHUNK));
      onProgress?.({ done: Math.min(start + CHUNK, operations.length), total: operations.length });
    }
    return operations.map(({ item }) => item);
  }

  /**
   * Changes some fields of a record; fields left out stay as they are. Resolves, and is shown, as by `create`; what is
   * written offline is sent in its order.
   * @throws ClientError `unknown-record`, `invalid-value`, `not-allowed`, `too-large`, `not-ready`, `closed`
   */
  async edit(id: string, changes: Partial<T>): Promise<void> {
    const { name, submit, author } = this.#context;
    const { editSchema, rules } = this.#declaration;
    this.#require(id);
    const parsed = editSchema.safeParse(changes);
    if (!parsed.success) throw invalidValue(name, parsed.error);
    const body = onlyGiven(parsed.data as Body, changes);
    const closed = closedFields(rules, { ...author(), id }, Object.keys(body));
    if (closed.length > 0) throw this.#notAllowed(`change ${closed.join(', ')}`);
    await submit([{ act: 'edit', collection: name, item: id, body }]);
  }

  /**
   * Removes a record, for good: its history stays until its time is over. Resolves as `create`.
   * @throws ClientError `unknown-record`, `not-allowed`, `not-ready`, `closed`
   */
  async remove(id: string): Promise<void> {
    const { name, submit, author } = this.#context;
    this.#require(id);
    if (!mayRemove(this.#declaration.rules, { ...author(), id }))
      throw this.#notAllowed('remove this record');
    await submit([{ act: 'remove', collection: name, item: id, body: {} }]);
  }

  /**
   * Writes a record anew as it stands, so that it stays after what it was made of is over. Its owner may, and an admin.
   * @throws ClientError `unknown-record`, `invalid-value` where its fields no longer fit together, `not-allowed`,
   *   `too-large`, `not-ready`, `closed`
   */
  async renew(id: string): Promise<void> {
    await this.#context.submit([this.#whole(id, this.#require(id).body)]);
  }

  /** The record, or `null` when this device knows none with this id, or it was removed: the same object until it has changed. */
  get(id: string): RecordView<T> | null {
    const record = this.#ledger.get(id);
    return record === null ? null : this.#viewOf(record);
  }

  /** All records, by id: the same array until one of them has changed. */
  list(): readonly RecordView<T>[] {
    return this.#changes.kept('all', () => this.#ledger.all().map((record) => this.#viewOf(record)));
  }

  /**
   * Every operation on a record that this device has in the group's log, in its order, also those that changed nothing.
   * What is pending is not among them yet, nor in `follow`.
   */
  history(id: string): readonly RecordOperation[] {
    return this.#changes.kept(id, () => this.#ledger.history(id));
  }

  /** Calls `listener` when `get`, `list` or `history` may give something else; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Yields every change so far, then what comes, until `signal` is aborted or the client closes. */
  follow(signal?: AbortSignal): AsyncGenerator<RecordChange<T>, void, undefined> {
    return this.#feed.follow(signal);
  }

  /**
   * Takes an authenticated operation in; answers why it changes nothing, or `null`. Looks at nothing but the operation,
   * its author and the author's role, so that every replica decides alike. For the client only.
   */
  accept(operation: Operation, origin: Origin): RejectionCode | null {
    const { act, item: id } = operation;
    if (act === 'append') return 'unknown-act';
    if (ownerOf(id) === null) return 'malformed';
    const judged = writeOf(this.#declaration, operation, origin);
    const [write, rejected] = typeof judged === 'string' ? [null, judged] : [judged, null];
    const changed = (write ?? operation).body;
    const isNew = this.#ledger.add({ ...origin, id, act, changed, rejected }, write);
    if (isNew) this.#changed(id);
    if (isNew && rejected === null) this.#feed.push({ ...origin, id, act, changed: changed as Partial<T> });
    return rejected;
  }

  /** What `accept` would answer. For the client only. */
  judge(operation: Operation, origin: Origin): RejectionCode | null {
    const judged = writeOf(this.#declaration, operation, origin);
    return typeof judged === 'string' ? judged : null;
  }

  /** Shows what was written here and is on its way. For the client only. */
  wait(operation: Operation, epoch: number): void {
    const { item: id } = operation;
    const write = writeOf(this.#declaration, operation, this.#context.author());
    // What the others will refuse is shown nowhere: it comes back as rejected.
    if (typeof write === 'string') return;
    this.#ledger.wait(id, write, epoch);
    this.#changed(id);
  }

  /** What waited is in the log, whatever became of it. For the client only. */
  arrived({ item: id, time }: Operation): void {
    if (this.#ledger.arrived(id, time)) this.#changed(id);
  }

  /** Whether a removal is about to be undone that this member may say again. For the client only. */
  get hasOutlived(): boolean {
    return this.#outlived.size > 0 && this.#removedAnew().length > 0;
  }

  /**
   * Says those removals again that a later write of their record would outlive (docs/spec/operations.md). For the
   * client only. @throws ClientError as `remove`
   */
  async removeAnew(): Promise<void> {
    const { name, submit } = this.#context;
    const operations = this.#removedAnew().map((item) => ({
      act: 'remove' as const,
      collection: name,
      item,
      body: {},
    }));
    if (operations.length > 0) await submit(operations);
  }

  /**
   * Lets go of what was written in this epoch or before: a record is what was written since makes of it. For the
   * client only.
   */
  forget(throughEpoch: number): void {
    this.#feed.drop(({ epoch }) => epoch <= throughEpoch);
    if (this.#ledger.forget(throughEpoch)) this.#changes.changed();
  }

  /** Lets go of what came after this place of the group's log. For the client only. */
  rewind(throughSeq: number): void {
    this.#feed.drop(({ seq }) => seq > throughSeq);
    if (this.#ledger.rewind(throughSeq)) this.#changes.changed();
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
    const { id } = record;
    const view = this.#views.get(record) ?? {
      id,
      body: bodyOf(record) as T,
      pending: this.#ledger.isPending(id),
    };
    this.#views.set(record, view);
    return view;
  }

  #changed(id: string): void {
    if (this.#ledger.isOutlived(id)) this.#outlived.add(id);
    else this.#outlived.delete(id);
    this.#changes.changed();
  }

  #removedAnew(): string[] {
    const author = this.#context.author();
    return [...this.#outlived].filter(
      (id) => this.#ledger.isOutlived(id) && mayRemove(this.#declaration.rules, { ...author, id }),
    );
  }

  /** @throws ClientError `invalid-value`, `not-allowed` */
  #whole(id: string, body: T): Omit<Operation, 'time'> {
    const { name, author } = this.#context;
    const { schema, rules } = this.#declaration;
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw invalidValue(name, parsed.error);
    if (!mayCreate(rules, { ...author(), id })) throw this.#notAllowed('write this record');
    return { act: 'create', collection: name, item: id, body: parsed.data as Body };
  }

  /** @throws ClientError `unknown-record` */
  #require(id: string): RecordView<T> {
    const view = this.get(id);
    if (view !== null) return view;
    throw new ClientError('unknown-record', `${this.#context.name} has no record ${id} on this device`);
  }

  #notAllowed(what: string): ClientError {
    return new ClientError('not-allowed', `${this.#context.name}: this member may not ${what}`);
  }
}
