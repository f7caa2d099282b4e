import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { WrappedKeys, Wrapping } from './wrapped-keys.ts';

/**
 * What a relay keeps of an organisation's own data: ciphertext under keys that are wrapped elsewhere
 * (docs/spec/data.md). Names are 32 bytes that say nothing; the store knows neither ids nor content.
 */
export interface DataStore {
  /** The data keys of an organisation, by number. */
  readDataKeys(org: OrgId): Promise<readonly StoredDataKey[]>;
  /** Keeps a data key, unless there is one of this number. */
  addDataKey(org: OrgId, key: StoredDataKey): Promise<void>;
  /** The names of all wrapping keys that any data key is wrapped by. */
  wrappingKeys(): Promise<readonly string[]>;
  /** All of them, to wrap them anew. */
  readonly wrappedDataKeys: WrappedKeys;

  /** The newest version of a document, removed or not; `null` if there never was one. */
  readDocument(org: OrgId, document: Uint8Array): Promise<StoredDocument | null>;
  /**
   * Keeps the next version of a document, in the place of the one before, and gives it the next seq of the
   * organisation. Nothing is done unless `version` follows the stored one (0 for none), or if there would be more
   * than `most` documents.
   */
  putDocument(put: DocumentPut): Promise<'stored' | 'version-conflict' | 'quota-exceeded'>;
  /** Documents of a collection with a higher seq, in order, as many as a page holds. Whoever has read up to a seq misses none below it. */
  listDocuments(org: OrgId, collection: Uint8Array, afterSeq: number): Promise<StoredDocuments>;

  /** Keeps a device's value of a collection, in the place of the one before. */
  putSystemValue(place: SystemPlace, value: AtRestBytes): Promise<void>;
  /** Forgets it. Those of a device that loses its place are forgotten with its sessions. */
  clearSystemValue(place: SystemPlace): Promise<void>;
  /** The value, or `null`. */
  readSystemValue(place: SystemPlace): Promise<AtRestBytes | null>;
}

/** An organisation's data key as it is kept. */
export interface StoredDataKey extends Wrapping {
  /** From 1. */
  readonly number: number;
}

/** Ciphertext, and which data key it is under. */
export interface AtRestBytes {
  readonly keyNumber: number;
  readonly sealed: Uint8Array;
}

/** The newest version of a document. */
export interface StoredDocument extends AtRestBytes {
  /** 32 bytes. */
  readonly document: Uint8Array;
  readonly version: number;
  readonly seq: number;
}

/** One more version of a document. */
export interface DocumentPut extends AtRestBytes {
  readonly org: OrgId;
  /** 32 bytes. */
  readonly collection: Uint8Array;
  /** 32 bytes. */
  readonly document: Uint8Array;
  /** From 1. */
  readonly version: number;
  readonly most: number;
}

/** Part of a collection; `more` says whether there is another part. */
export interface StoredDocuments {
  readonly documents: readonly StoredDocument[];
  readonly more: boolean;
}

/** Where a device's value is. */
export interface SystemPlace {
  readonly org: OrgId;
  readonly device: DeviceId;
  /** 32 bytes. */
  readonly collection: Uint8Array;
}
