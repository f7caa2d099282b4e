import {
  decodeCbor,
  encodeCbor,
  idBytes,
  memberId,
  type CborValue,
  type MemberId,
} from '@keytide/crypto-core';
import type { Body } from './body.ts';
import { ClientError } from './errors.ts';

const VERSION = 1;
const ID_BYTES = 16;
const MAX_PAYLOAD_BYTES = 8 * 1024;

/** What one direct message says (docs/spec/direct.md): the plaintext of a pairwise message. */
export interface DirectPayload {
  /** 16 bytes, the same for all devices that it goes to. */
  readonly id: Uint8Array;
  /** Whom it is for: the sender's own other devices get it too. */
  readonly to: MemberId;
  /** By the sender's clock: milliseconds since 1970. */
  readonly sentMs: number;
  readonly body: Body;
}

/** CBOR `[1, id, to, sent, body]`. @throws ClientError `too-large` over 8 KiB */
export function encodeDirectPayload({ id, to, sentMs, body }: DirectPayload): Uint8Array {
  const bytes = encodeCbor([VERSION, id, idBytes(to), sentMs, body as CborValue]);
  if (bytes.length > MAX_PAYLOAD_BYTES)
    throw new ClientError('too-large', `a direct message has at most ${MAX_PAYLOAD_BYTES} bytes`);
  return bytes;
}

/** Reads what was received or kept; `null` when the bytes are not one. What the body says is for the application to check. */
export function parseDirectPayload(bytes: Uint8Array): DirectPayload | null {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, MAX_PAYLOAD_BYTES);
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length !== 5 || value[0] !== VERSION) return null;
  const [, id, to, sentMs, body] = value as readonly CborValue[];
  if (!(id instanceof Uint8Array) || id.length !== ID_BYTES) return null;
  if (!(to instanceof Uint8Array) || to.length !== 16) return null;
  if (!Number.isSafeInteger(sentMs) || (sentMs as number) < 0) return null;
  if (typeof body !== 'object' || body === null || Array.isArray(body) || body instanceof Uint8Array)
    return null;
  return { id, to: memberId(to), sentMs: sentMs as number, body: body as Body };
}
