import { decodeCbor, encodeCbor, MAX_EPHEMERAL_BYTES, type CborValue } from '@keytide/crypto-core';
import type { Body } from './body.ts';

const VERSION = 1;

/** What a live frame says to the application (docs/spec/live.md). */
export interface LivePayload {
  readonly collection: string;
  readonly room: string;
  readonly body: Body;
}

/** CBOR `[1, collection, room, body]`. */
export function encodeLivePayload({ collection, room, body }: LivePayload): Uint8Array {
  return encodeCbor([VERSION, collection, room, body as CborValue]);
}

/** Reads what was received; `null` when the bytes are not one. The body is not yet checked against a schema. */
export function parseLivePayload(bytes: Uint8Array): LivePayload | null {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, MAX_EPHEMERAL_BYTES);
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== VERSION) return null;
  const [, collection, room, body] = value as readonly CborValue[];
  if (typeof collection !== 'string' || typeof room !== 'string') return null;
  if (typeof body !== 'object' || body === null || Array.isArray(body) || body instanceof Uint8Array)
    return null;
  return { collection, room, body: body as Body };
}
