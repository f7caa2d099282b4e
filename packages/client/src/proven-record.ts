import {
  decodeCbor,
  deviceId,
  encodeCbor,
  memberId,
  type CborValue,
  type KeyStore,
  type KeyStoreChange,
  type Primitives,
} from '@keytide/crypto-core';
import {
  encodeAnchor,
  parseAnchor,
  type Anchor,
  type HeadName,
  type ProvenKeys,
} from '@keytide/key-directory';
import { ClientError } from './errors.ts';

/** Where a device's trust stands that does not replay. */
export interface ProvenRecord {
  readonly anchor: Anchor;
  /** The size of the log at the first anchor. */
  readonly firstSize: number;
  /** The newest time in a cosignature that has counted, in seconds since 1970. */
  readonly newestSeconds: number;
}

/** A head that is believed under the anchor, of somebody this device keeps. */
export interface KeptHead {
  readonly name: Exclude<HeadName, { of: 'organisation' }>;
  readonly leaf: Uint8Array;
  /** Of a device; `null` for a member. */
  readonly keys: ProvenKeys | null;
}

const ANCHOR = 'proven-anchor';
const HEADS = 'proven/';
const MAX_BYTES = 256 * 1024;

/** The change that keeps where trust stands; to be written with all heads under the new anchor, or not at all. */
export function recordChange({ anchor, firstSize, newestSeconds }: ProvenRecord): KeyStoreChange {
  return { name: ANCHOR, value: encodeCbor([encodeAnchor(anchor), firstSize, newestSeconds]) };
}

/** The change that keeps a head. */
export function headChange({ name, leaf, keys }: KeptHead): KeyStoreChange {
  const fields: CborValue[] = [leaf];
  if (keys !== null) {
    const { publicKey, notBeforeMs, notAfterMs } = keys.sealing;
    fields.push(keys.signingPublicKey, publicKey, notBeforeMs, notAfterMs);
  }
  return { name: HEADS + nameText(name), value: encodeCbor(fields) };
}

/** What a head is kept under. */
export function nameText({ of, id }: KeptHead['name']): string {
  return `${of}/${id}`;
}

/** What this store holds; `null` before the first anchor. @throws ClientError `store-damaged` */
export async function loadProven(
  primitives: Primitives,
  keyStore: KeyStore,
): Promise<{ record: ProvenRecord; heads: readonly KeptHead[] } | null> {
  const stored = await keyStore.get(ANCHOR);
  if (stored === null) return null;
  try {
    const [anchor, firstSize, newestSeconds] = decodeCbor(stored, MAX_BYTES) as [Uint8Array, number, number];
    const heads: KeptHead[] = [];
    for (const name of await keyStore.names(HEADS)) {
      const value = await keyStore.get(name);
      if (value !== null) heads.push(headIn(name.slice(HEADS.length), value));
    }
    return { record: { anchor: parseAnchor(primitives, anchor), firstSize, newestSeconds }, heads };
  } catch (cause) {
    throw new ClientError('store-damaged', 'what is stored of the proven directory is not that', { cause });
  }
}

function headIn(text: string, value: Uint8Array): KeptHead {
  const [of, id] = text.split('/') as [string, string];
  const [leaf, ...rest] = decodeCbor(value, MAX_BYTES) as [Uint8Array, ...CborValue[]];
  if (of === 'member') return { name: { of, id: memberId(id) }, leaf, keys: null };
  const [signingPublicKey, publicKey, notBeforeMs, notAfterMs] = rest as [
    Uint8Array,
    Uint8Array,
    number,
    number,
  ];
  const keys = { signingPublicKey, sealing: { publicKey, notBeforeMs, notAfterMs } };
  return { name: { of: 'device', id: deviceId(id) }, leaf, keys };
}
