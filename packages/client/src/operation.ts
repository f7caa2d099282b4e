import { decodeCbor, encodeCbor, labelled, type CborValue, type Primitives } from '@keytide/crypto-core';
import { MAX_HYBRID_COUNTER, MAX_HYBRID_MS, notAfter, type HybridTime } from './hybrid-clock.ts';
import type { Body } from './body.ts';

/**
 * What one message says to the application (docs/spec/operations.md): a new item of a log, a new record,
 * or an edit of a record. It is the payload of an envelope, so relay and host never see it.
 */
export interface Operation {
  readonly act: 'append' | 'create' | 'edit';
  readonly collection: string;
  /** The room of a log (empty for its only one), or the id of a record: 32 hex characters. */
  readonly item: string;
  readonly time: HybridTime;
  readonly body: Body;
}

const ACTS = ['append', 'create', 'edit'] as const;
const MAX_OPERATION_BYTES = 200 * 1024;

export function encodeOperation(operation: Operation): Uint8Array {
  return encodeCbor([
    1,
    ACTS.indexOf(operation.act),
    operation.collection,
    operation.item,
    operation.time.ms,
    operation.time.counter,
    operation.body as CborValue,
  ]);
}

/**
 * Reads an operation; `null` when the bytes are not one. The body is not yet checked against a schema.
 * @param endMs where time ends for this message: a later reading counts as the last one before it
 */
export function parseOperation(bytes: Uint8Array, endMs: number): Operation | null {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, MAX_OPERATION_BYTES);
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length !== 7 || value[0] !== 1) return null;
  const [, actNumber, collection, item, ms, counter, body] = value as readonly CborValue[];
  const act = typeof actNumber === 'number' ? ACTS[actNumber] : undefined;
  if (act === undefined || typeof collection !== 'string' || typeof item !== 'string') return null;
  if (!isIntegerBelow(ms, MAX_HYBRID_MS) || !isIntegerBelow(counter, MAX_HYBRID_COUNTER)) return null;
  if (typeof body !== 'object' || body === null || Array.isArray(body) || body instanceof Uint8Array)
    return null;
  return { act, collection, item, time: notAfter({ ms, counter }, endMs), body: body as Body };
}

/**
 * The 16-byte channel of a room or record. Travels encrypted, so the relay cannot tell which messages
 * belong to one record.
 */
export function channelOf(primitives: Primitives, collection: string, item: string): Uint8Array {
  return primitives.sha256(labelled('channelId', encodeCbor([collection, item]))).slice(0, 16);
}

function isIntegerBelow(value: unknown, limit: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < limit;
}
