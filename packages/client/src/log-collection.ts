import { sorted } from '@keytide/crypto-core';
import type { z } from 'zod';
import type { Body, LogDeclaration } from './declare.ts';
import type { Origin } from './origin.ts';
import { ClientError } from './errors.ts';
import { Feed } from './feed.ts';
import type { Operation } from './operation.ts';

/** One item of a log: its content and where it comes from. */
export interface LogItem<T extends Body> extends Origin {
  /** The room it was written to; empty for the collection's only one. */
  readonly room: string;
  readonly body: T;
}

/** Hands operations to the outbox; resolves once they are durable on this device. */
export type Submit = (
  operations: readonly Pick<Operation, 'act' | 'collection' | 'item' | 'body'>[],
) => Promise<void>;

/** An end-to-end encrypted list of messages. */
export class LogCollection<T extends Body> {
  readonly #name: string;
  readonly #declaration: LogDeclaration<T>;
  readonly #submit: Submit;
  readonly #feed = new Feed<LogItem<T>>();
  readonly #seen = new Set<number>();

  constructor(name: string, declaration: LogDeclaration<T>, submit: Submit) {
    this.#name = name;
    this.#declaration = declaration;
    this.#submit = submit;
  }

  /**
   * Writes an item. Resolves once it is durable in this device's outbox; `client.settled()` tells when the
   * relay has it.
   * @throws ClientError `invalid-value`, `too-large`, `not-ready`, `closed`
   */
  async append(body: T, options: { room?: string } = {}): Promise<void> {
    const parsed = this.#declaration.schema.safeParse(body);
    if (!parsed.success) throw invalidValue(this.#name, parsed.error);
    await this.#submit([
      { act: 'append', collection: this.#name, item: options.room ?? '', body: parsed.data },
    ]);
  }

  /** Everything readable so far, in the group's order. */
  read(): readonly LogItem<T>[] {
    return sorted(this.#feed.items, (a, b) => a.seq - b.seq);
  }

  /** Yields everything readable so far, then what comes, until `signal` is aborted or the client closes. */
  follow(signal?: AbortSignal): AsyncGenerator<LogItem<T>, void, undefined> {
    return this.#feed.follow(signal);
  }

  /** Takes an authenticated operation in; `false` when it breaks the collection's rules. For the client only. */
  accept(operation: Operation, origin: Origin): boolean {
    if (operation.act !== 'append') return false;
    const body = accepted(this.#declaration.schema, operation.body);
    if (body === null) return false;
    if (this.#seen.has(origin.seq)) return true;
    this.#seen.add(origin.seq);
    this.#feed.push({ ...origin, room: operation.item, body });
    return true;
  }

  /** Ends every `follow`. For the client only. */
  end(): void {
    this.#feed.end();
  }
}

/** What a peer wrote, if it fits; a schema that throws refuses, so that no peer can stop this device. */
export function accepted<T extends Body>(schema: z.ZodType<T>, body: Body): T | null {
  try {
    return schema.safeParse(body).data ?? null;
  } catch {
    return null;
  }
}

/** Names the fields that do not fit, never their values. */
export function invalidValue(
  collection: string,
  error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] },
): ClientError {
  const problems = error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || 'value'}: ${issue.message}`,
  );
  return new ClientError('invalid-value', `${collection}: ${problems.join('; ')}`);
}
