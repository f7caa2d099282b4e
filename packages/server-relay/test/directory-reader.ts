import type { DeviceId, MemberId, OrgId } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import {
  deviceKey,
  logNoteKey,
  memberKey,
  organisationKey,
  originOf,
  parseCheckpointText,
  parseEntryBundle,
  parseNote,
  tilePath,
  verifyLookup,
  verifyNote,
  type HashSource,
  type LogCheckpoint,
  type SignedNote,
} from '@keytide/key-directory';
import { healthResponse, lookupResponse } from '@keytide/relay-protocol';
import { call, type ReachableRelay } from './relay-under-test.ts';

/** A checkpoint that the relay's key has signed. */
export interface ReadCheckpoint extends LogCheckpoint {
  readonly note: SignedNote;
  readonly bytes: Uint8Array;
}

/** The directory of one organisation as somebody reads it who trusts nothing but the relay's pinned key. */
export interface DirectoryReader {
  readonly source: HashSource;
  checkpoint(which?: '/witnessed'): Promise<ReadCheckpoint>;
  bundle(index: number, width: number): Promise<Uint8Array[]>;
  /** The head under the root of the checkpoint that came with it; `null` for a proof of absence. */
  member(id: MemberId, size?: number): Promise<{ checkpoint: ReadCheckpoint; head: Uint8Array | null }>;
  device(id: DeviceId, size?: number): Promise<{ checkpoint: ReadCheckpoint; head: Uint8Array | null }>;
  organisation(size?: number): Promise<{ checkpoint: ReadCheckpoint; head: Uint8Array | null }>;
}

/** Any GET: status, type and bytes. */
export async function fetchBytes(
  relay: Pick<ReachableRelay, 'url'>,
  path: string,
  token?: string,
): Promise<{ status: number; type: string | null; bytes: Uint8Array }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${relay.url}/v1${path}`, { headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, type: response.headers.get('content-type'), bytes };
}

/** The public key that the relay tells. */
export async function keyOf(relay: ReachableRelay): Promise<Uint8Array> {
  return healthResponse.parse((await call(relay, 'GET', '/health')).body).key;
}

export async function directoryReader(
  relay: ReachableRelay,
  org: OrgId,
  token: string,
): Promise<DirectoryReader> {
  const key = await keyOf(relay);
  const at = `/organisations/${org}`;

  function verified(bytes: Uint8Array): ReadCheckpoint {
    const note = parseNote(bytes);
    const logKey = logNoteKey(originOf(org), key);
    if (verifyNote(nodePrimitives, note, [logKey]).verified.length !== 1) throw new Error('not signed');
    const checkpoint = parseCheckpointText(note.text);
    if (checkpoint.origin !== originOf(org)) throw new Error('another log');
    return { ...checkpoint, note, bytes };
  }

  async function bytesAt(path: string, type: string): Promise<Uint8Array | null> {
    const answer = await fetchBytes(relay, at + path, token);
    if (answer.status === 404) return null;
    if (answer.status !== 200 || answer.type !== type) throw new Error(`${answer.status} ${answer.type}`);
    return answer.bytes;
  }

  async function lookup(path: string, mapKey: Uint8Array, size?: number) {
    const query = size === undefined ? '' : `?size=${size}`;
    const { status, body } = await call(relay, 'GET', `${at}/directory/${path}${query}`, { token });
    if (status !== 200) throw new Error(`lookup: ${status}`);
    const answer = lookupResponse.parse(body);
    const checkpoint = verified(answer.checkpoint);
    const root = checkpoint.mapRoot as Uint8Array;
    return { checkpoint, head: verifyLookup(nodePrimitives, root, mapKey, answer.lookup) };
  }

  return {
    source: {
      readTile: (tile) => bytesAt(`/log/${tilePath(tile)}`, 'application/octet-stream'),
    },
    async checkpoint(which) {
      const bytes = await bytesAt(`/log/checkpoint${which ?? ''}`, 'text/plain; charset=utf-8');
      return verified(bytes as Uint8Array);
    },
    async bundle(index, width) {
      const path = tilePath({ level: 'entries', index, width });
      const bytes = await bytesAt(`/log/${path}`, 'application/octet-stream');
      return parseEntryBundle(bytes as Uint8Array, width);
    },
    member: (id, size) => lookup(`members/${id}`, memberKey(nodePrimitives, id), size),
    device: (id, size) => lookup(`devices/${id}`, deviceKey(nodePrimitives, id), size),
    organisation: (size) => lookup('organisation', organisationKey(nodePrimitives), size),
  };
}
