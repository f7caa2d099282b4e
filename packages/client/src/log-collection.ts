import { sorted } from '@keytide/crypto-core';
import type { z } from 'zod';
import { accepted, invalidValue, type Body } from './body.ts';
import { Changes } from './changes.ts';
import type { AnyCollection, CollectionContext, Declaration } from './collection.ts';
import { Feed } from './feed.ts';
import type { Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import type { RejectionCode } from './rejection.ts';
import { retainedBy, type CollectionOptions, type Retained } from './retained.ts';

/** An end-to-end encrypted list of messages: they are added, never changed. */
export interface LogDeclaration<T extends Body> extends Declaration<LogCollection<T>>, Retained {
  readonly class: 'sensitive';
  readonly kind: 'log';
  readonly schema: z.ZodType<T>;
}

/** One item of a log: its content and where it comes from. */
export interface LogItem<T extends Body> extends Origin {
  /** The room it was written to; empty for the collection's only one. */
  readonly room: string;
  readonly body: T;
}

/** Declares a list of messages. */
export function declareLog<T extends Body>(
  schema: z.ZodType<T>,
  options: CollectionOptions = {},
): LogDeclaration<T> {
  const declaration: LogDeclaration<T> = {
    class: 'sensitive',
    kind: 'log',
    schema,
    ...retainedBy(options),
    open: (context) => new LogCollection(declaration, context),
  };
  return declaration;
}

/** An end-to-end encrypted list of messages. */
export class LogCollection<T extends Body> implements AnyCollection {
  readonly #declaration: Pick<LogDeclaration<T>, 'schema'>;
  readonly #context: CollectionContext;
  readonly #feed = new Feed<LogItem<T>>();
  readonly #seen = new Set<number>();
  readonly #changes = new Changes();

  constructor(declaration: Pick<LogDeclaration<T>, 'schema'>, context: CollectionContext) {
    this.#declaration = declaration;
    this.#context = context;
  }

  /**
   * Writes an item. Resolves once it is durable in this device's outbox; `client.settled()` tells when the
   * relay has it.
   * @throws ClientError `invalid-value`, `too-large`, `not-ready`, `closed`
   */
  async append(body: T, options: { room?: string } = {}): Promise<void> {
    const parsed = this.#declaration.schema.safeParse(body);
    const { name, submit } = this.#context;
    if (!parsed.success) throw invalidValue(name, parsed.error);
    await submit([{ act: 'append', collection: name, item: options.room ?? '', body: parsed.data }]);
  }

  /** Everything readable so far, in the group's order, or of one room: the same array until that has changed. */
  read({ room }: { readonly room?: string } = {}): readonly LogItem<T>[] {
    return this.#changes.kept(room === undefined ? ALL : inRoom(room), () => {
      const items = this.#feed.items.filter((item) => room === undefined || item.room === room);
      return sorted(items, (a, b) => a.seq - b.seq);
    });
  }

  /** Calls `listener` when `read` may give something else; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Yields everything readable so far, then what comes, until `signal` is aborted or the client closes. */
  follow(signal?: AbortSignal): AsyncGenerator<LogItem<T>, void, undefined> {
    return this.#feed.follow(signal);
  }

  /** Takes an authenticated operation in; answers why it shows nothing, or `null`. For the client only. */
  accept(operation: Operation, origin: Origin): RejectionCode | null {
    const body = this.#read(operation);
    if (typeof body === 'string') return body;
    if (this.#seen.has(origin.seq)) return null;
    this.#seen.add(origin.seq);
    this.#feed.push({ ...origin, room: operation.item, body });
    this.#changes.changed(ALL, inRoom(operation.item));
    return null;
  }

  /** What `accept` would answer. For the client only. */
  judge(operation: Operation): RejectionCode | null {
    const body = this.#read(operation);
    return typeof body === 'string' ? body : null;
  }

  /** Lets go of what was written in this epoch or before. For the client only. */
  forget(throughEpoch: number): void {
    this.#drop(({ epoch }) => epoch <= throughEpoch);
  }

  /** Lets go of what came after this place of the group's log. For the client only. */
  rewind(throughSeq: number): void {
    this.#drop(({ seq }) => seq > throughSeq);
  }

  /** Tells whoever subscribed, where anything has changed since. For the client only. */
  tell(): void {
    this.#changes.tell();
  }

  /** Ends every `follow`. For the client only. */
  end(): void {
    this.#feed.end();
  }

  #read({ act, body }: Operation): T | RejectionCode {
    return act === 'append' ? (accepted(this.#declaration.schema, body) ?? 'schema') : 'unknown-act';
  }

  #drop(test: (item: Origin) => boolean): void {
    const dropped = this.#feed.drop(test);
    for (const { seq } of dropped) this.#seen.delete(seq);
    if (dropped.length > 0) this.#changes.changed();
  }
}

const ALL = 'all';

function inRoom(room: string): string {
  return `room ${room}`;
}
