import { documentId, type DocumentsBody, type Writers } from '@keytide/relay-protocol';
import type { z } from 'zod';
import type { WithoutAttachment } from './attachment-ref.ts';
import type { Body } from './body.ts';
import { decodeClearBody, encodeClearBody } from './clear-body.ts';
import type { AnyCollection, CollectionContext, Declaration } from './collection.ts';
import { Changes } from './changes.ts';
import { ClientError } from './errors.ts';
import { Feed } from './feed.ts';
import type { RefusedDocument, RelayData } from './relay-data.ts';
import { Serial } from './serial.ts';

/** Documents that the relay and all members can read; the relay keeps them encrypted at rest. */
export interface OrgDeclaration<T extends Body> extends Declaration<OrgCollection<T>> {
  readonly class: 'org';
  readonly kind: 'documents';
  readonly schema: z.ZodType<T>;
  readonly writers: Writers;
}

/** A document as the relay has it. */
export interface OrgDocument<T extends Body> {
  readonly id: string;
  /** From 1; each write adds 1. */
  readonly version: number;
  readonly body: T;
}

/** One change of a document; `body` is `null` when it was removed, or was replaced by one that does not fit. */
export interface OrgChange<T extends Body> extends Omit<OrgDocument<T>, 'body'> {
  readonly body: T | null;
}

/** Says which version is to be replaced: 0 for a document that there is not to be yet. */
export interface IfVersion {
  readonly ifVersion?: number;
}

/**
 * Declares documents of the class org: settings, profiles, shifts. What is in them is true as far as the relay is:
 * it can read and change them. Only admins write them, or all members.
 */
export function org<T extends Body>(
  schema: z.ZodType<T> & WithoutAttachment<T>,
  options: { readonly writers?: Writers } = {},
): OrgDeclaration<T> {
  const declaration: OrgDeclaration<T> = {
    class: 'org',
    kind: 'documents',
    schema,
    writers: options.writers ?? 'members',
    open: (context) => new OrgCollection(declaration, context),
  };
  return declaration;
}

/** Documents by id, in memory: read from the relay at the start, and again when it hints at news. */
export class OrgCollection<T extends Body> implements AnyCollection {
  readonly #name: string;
  readonly #declaration: OrgDeclaration<T>;
  readonly #relay: RelayData;
  readonly #documents = new Map<string, OrgChange<T>>();
  readonly #refused = new Map<string, RefusedDocument>();
  readonly #feed = new Feed<OrgChange<T>>();
  readonly #changes = new Changes();
  readonly #reading = new Serial();
  #after = 0;
  #isRead = false;

  constructor(declaration: OrgDeclaration<T>, context: Pick<CollectionContext, 'name' | 'relayData'>) {
    this.#name = context.name;
    this.#declaration = declaration;
    this.#relay = context.relayData;
    this.#relay.add(this);
  }

  /**
   * Writes a document; resolves with its version once the relay has it.
   * @throws ClientError `invalid-value`, `too-large`, `offline` (then it may or may not be there), `closed`,
   *   `version-conflict` when `ifVersion` is not the newest, `relay-refused` with `not-a-member` for who may not
   *   write here, with `quota-exceeded` for an organisation that has as many as it may
   */
  put(id: string, body: T, options: IfVersion = {}): Promise<number> {
    return this.#write(id, () => encodeClearBody(this.#name, this.#declaration.schema, body), options);
  }

  /** Removes a document, which is a version as well. @throws as `put` */
  async remove(id: string, options: IfVersion = {}): Promise<void> {
    await this.#write(id, () => null, options);
  }

  /** A document, or `null`. @throws ClientError `offline` until the relay was reached once, `closed` */
  async get(id: string): Promise<OrgDocument<T> | null> {
    await this.#ready();
    const document = this.#documents.get(id);
    return document !== undefined && exists(document) ? document : null;
  }

  /** All documents, in the order of their newest versions. @throws as `get` */
  async list(): Promise<readonly OrgDocument<T>[]> {
    await this.#ready();
    return this.#existing();
  }

  /**
   * What `list` answers, without waiting: the same array until a document changes. `null` until the relay was reached
   * once since the start.
   */
  shown(): readonly OrgDocument<T>[] | null {
    return this.#isRead ? this.#changes.kept('all', () => this.#existing()) : null;
  }

  /** Calls `listener` when `shown` gives something else; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Yields every change that this device has seen, then what comes, until `signal` is aborted or the client closes. */
  follow(signal?: AbortSignal): AsyncGenerator<OrgChange<T>, void, undefined> {
    return this.#feed.follow(signal);
  }

  /** Documents that do not fit the schema, so that they are shown nowhere. The event `refused-document` tells of each. */
  get refused(): readonly RefusedDocument[] {
    return [...this.#refused.values()];
  }

  /** Reads what is new at the relay. For the client only. @throws ClientError `offline`, `relay-misbehaved` */
  pull(): Promise<void> {
    return this.#reading.run(async () => {
      for (;;) {
        const page = await this.#relay.readDocuments(this.#declaration.writers, this.#name, this.#after);
        if (page.next < this.#after || (page.more && page.next === this.#after))
          throw new ClientError('relay-misbehaved', 'a list of documents that does not go on');
        for (const document of page.documents) this.#take(document);
        this.#after = page.next;
        if (!page.more) break;
      }
      if (!this.#isRead) this.#changes.changed();
      this.#isRead = true;
      this.#changes.tell();
    });
  }

  /** Forgets what was read: the next `pull` reads all of it. For the client only. */
  startOver(): void {
    this.#after = 0;
    this.#documents.clear();
    this.#refused.clear();
  }

  /** Ends every `follow`, and forgets everything. For the client only. */
  end(): void {
    this.#feed.end();
    this.#feed.drop(() => true);
    this.#documents.clear();
    this.#isRead = false;
    this.#changes.changed();
    this.#changes.tell();
  }

  async #ready(): Promise<void> {
    this.#relay.assertOpen();
    if (!this.#isRead) await this.pull();
  }

  async #write(id: string, encode: () => Uint8Array | null, { ifVersion }: IfVersion): Promise<number> {
    this.#relay.assertOpen();
    if (!documentId.safeParse(id).success)
      throw new ClientError('invalid-value', `${this.#name}: not an id for a document`);
    const bytes = encode();
    const { writers } = this.#declaration;
    const version = await this.#relay.putDocument({ writers, collection: this.#name, id }, bytes, ifVersion);
    this.#take({ id, version, body: bytes });
    this.#changes.tell();
    return version;
  }

  #existing(): readonly OrgDocument<T>[] {
    return [...this.#documents.values()].filter(exists);
  }

  #take({ id, version, body: bytes }: DocumentsBody['documents'][number]): void {
    // What was asked for may come when everything has left the memory.
    this.#relay.assertOpen();
    const known = this.#documents.get(id);
    if (known !== undefined && known.version >= version) return;
    const body = bytes && decodeClearBody(this.#declaration.schema, bytes);
    const change: OrgChange<T> = { id, version, body };
    this.#documents.delete(id);
    this.#documents.set(id, change);
    this.#refused.delete(id);
    if (bytes !== null && body === null) {
      const refused = { collection: this.#name, id, version };
      this.#refused.set(id, refused);
      this.#relay.refused(refused);
    }
    this.#feed.push(change);
    this.#changes.changed();
  }
}

function exists<T extends Body>(change: OrgChange<T>): change is OrgChange<T> & OrgDocument<T> {
  return change.body !== null;
}
