import { decodeCbor, encodeCbor, equalBytes, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { LIMITS, type DocumentsBody, type Writers } from '@keytide/relay-protocol';
import type { AtRest } from './at-rest.ts';
import type { DataStore, StoredDocument } from './data-store.ts';
import { RelayError } from './errors.ts';

/** An organisation's own documents, and what its devices tell the relay alone (docs/spec/data.md). */
export interface OrgData {
  /**
   * Writes the next version of a document, `null` for its removal; the version. Without `ifVersion` over any version.
   * What was just written under the same `ifVersion` answers as then.
   * @throws RelayError `version-conflict`, `quota-exceeded`, `malformed` for a body that is not CBOR of a map
   */
  put(place: DocumentPlace, body: Uint8Array | null, ifVersion?: number): Promise<number>;
  /** Documents that were written after a seq, in order. */
  list(collection: Omit<DocumentPlace, 'id'>, afterSeq: number): Promise<DocumentsBody>;
  /** Keeps a device's value; `null` forgets it. @throws RelayError `malformed` */
  putSystem(place: SystemValuePlace, body: Uint8Array | null): Promise<void>;
  /** A device's value, for the relay's own use: no route may answer with it. */
  readSystem(place: SystemValuePlace): Promise<Uint8Array | null>;
}

/** Where a document is. Who may write is part of it. */
interface DocumentPlace {
  readonly org: OrgId;
  readonly writers: Writers;
  readonly collection: string;
  readonly id: string;
}

/** Where a device's value is. */
interface SystemValuePlace {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly collection: string;
}

/** Writers without `ifVersion` meet each other this often at most. */
const ATTEMPTS = 10;
/** A body with its id around it. */
const MAX_PLAINTEXT_BYTES: number = LIMITS.documentBytes + 128;

/** Data over a store, sealed at rest. */
export function createOrgData(store: DataStore, atRest: AtRest, most: number): OrgData {
  async function bodyIn(org: OrgId, { document: name, version, ...stored }: StoredDocument) {
    const plaintext = await atRest.open({ org, name, version }, stored);
    return decodeCbor(plaintext, MAX_PLAINTEXT_BYTES) as [id: string, body: Uint8Array | null];
  }
  const systemName = ({ org, collection, device }: SystemValuePlace): Promise<Uint8Array> =>
    atRest.nameOf(org, ['system', collection, device]);

  return {
    async put({ org, writers, collection, id }, body, ifVersion) {
      if (body !== null) requireMap(body);
      const collectionName = await atRest.nameOf(org, [writers, collection]);
      const document = await atRest.nameOf(org, [writers, collection, id]);
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const stored = await store.readDocument(org, document);
        const before = stored?.version ?? 0;
        if (ifVersion !== undefined && ifVersion !== before) {
          if (stored === null || before !== ifVersion + 1) break;
          const [, written] = await bodyIn(org, stored);
          if (isSame(written, body)) return before;
          break;
        }
        const version = before + 1;
        const bytes = await atRest.seal({ org, name: document, version }, encodeCbor([id, body]));
        const place = { org, collection: collectionName, document };
        const outcome = await store.putDocument({ ...place, version, ...bytes, most });
        if (outcome === 'stored') return version;
        if (outcome === 'quota-exceeded')
          throw new RelayError('quota-exceeded', 'the organisation keeps as many documents as it may');
      }
      throw new RelayError('version-conflict', 'the document has another version');
    },
    async list({ org, writers, collection }, afterSeq) {
      const name = await atRest.nameOf(org, [writers, collection]);
      const page = await store.listDocuments(org, name, afterSeq);
      const documents = [];
      for (const stored of page.documents) {
        const [id, body] = await bodyIn(org, stored);
        documents.push({ id, version: stored.version, body });
      }
      const next = page.documents[page.documents.length - 1]?.seq ?? afterSeq;
      return { documents, next, more: page.more };
    },
    async putSystem(place, body) {
      const { org, device } = place;
      const collection = await systemName(place);
      if (body === null) return store.clearSystemValue({ org, device, collection });
      requireMap(body);
      const bytes = await atRest.seal({ org, name: collection, version: 0 }, body);
      return store.putSystemValue({ org, device, collection }, bytes);
    },
    async readSystem(place) {
      const { org, device } = place;
      const collection = await systemName(place);
      const stored = await store.readSystemValue({ org, device, collection });
      return stored === null ? null : await atRest.open({ org, name: collection, version: 0 }, stored);
    },
  };
}

/** So that what one device writes, no other one stumbles over. */
function requireMap(body: Uint8Array): void {
  try {
    const value = decodeCbor(body, LIMITS.documentBytes);
    if (
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      !(value instanceof Uint8Array)
    )
      return;
  } catch {
    // Said below.
  }
  throw new RelayError('malformed', 'a body is the CBOR of a map');
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}
