import { toBase64Url } from '@keytide/crypto-core';
import {
  documentPutResponse,
  documentsResponse,
  systemPutResponse,
  type DocumentsBody,
  type Writers,
} from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { Part } from './part.ts';
import type { RelayApi } from './relay-api.ts';

/** A document that the relay has, and that does not fit what this application declares. */
export interface RefusedDocument {
  readonly collection: string;
  readonly id: string;
  readonly version: number;
}

/** Who reads documents, as it is told of news. */
interface Reader {
  /** Reads what is new. @throws ClientError */
  pull(): Promise<void>;
  /** Forgets what was read: the relay has another past. */
  startOver(): void;
}

interface RelayDataOptions {
  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertOpen(): void;
  onRefused(document: RefusedDocument): void;
}

/**
 * What collections of the classes org and system speak with: data that the relay can read (docs/spec/data.md). What a
 * sensitive collection holds never comes here.
 */
export class RelayData implements Part {
  readonly topic = 'data';
  readonly #api: Pick<RelayApi, 'call'>;
  readonly #options: RelayDataOptions;
  readonly #readers: Reader[] = [];
  #pulling: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(api: Pick<RelayApi, 'call'>, options: RelayDataOptions) {
    this.#api = api;
    this.#options = options;
  }

  /** Has the reader read whenever there may be something new. */
  add(reader: Reader): void {
    this.#readers.push(reader);
  }

  /** The relay has another past than before: what was read from it is nothing to go on from. */
  startOver(): void {
    for (const reader of this.#readers) reader.startOver();
  }

  /** Reports a document that is shown to nobody. */
  refused(document: RefusedDocument): void {
    this.#options.onRefused(document);
  }

  wake(): void {
    if (this.#stopped) return;
    // What fails now is read at the next wake; whoever asks for it meanwhile hears why.
    const pulls = this.#readers.map((reader) => reader.pull().catch(() => {}));
    this.#pulling = Promise.all([this.#pulling, ...pulls]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#pulling;
  }

  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertOpen(): void {
    this.#options.assertOpen();
  }

  /** Documents after a place in the relay's list, as many as one page holds. */
  readDocuments(writers: Writers, collection: string, after: number): Promise<DocumentsBody> {
    return this.#api.call('GET', `/data/${writers}/${collection}?after=${after}`, documentsResponse);
  }

  /** Writes a document, `null` to remove it; its version. @throws ClientError `version-conflict` */
  async putDocument(
    path: { readonly writers: Writers; readonly collection: string; readonly id: string },
    body: Uint8Array | null,
    ifVersion: number | undefined,
  ): Promise<number> {
    const request = { body: body && toBase64Url(body), ...(ifVersion === undefined ? {} : { ifVersion }) };
    const { writers, collection, id } = path;
    try {
      const answer = await this.#api.call(
        'PUT',
        `/data/${writers}/${collection}/${id}`,
        documentPutResponse,
        request,
      );
      return answer.version;
    } catch (error) {
      if (!(error instanceof ClientError) || error.relayCode !== 'version-conflict') throw error;
      throw new ClientError('version-conflict', 'somebody else has written this document since', {
        cause: error,
      });
    }
  }

  /** Tells the relay this device's value, `null` to clear it. */
  async putSystemValue(collection: string, body: Uint8Array | null): Promise<void> {
    await this.#api.call('PUT', `/system/${collection}`, systemPutResponse, {
      body: body && toBase64Url(body),
    });
  }
}
