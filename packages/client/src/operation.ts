import { decodeCbor, encodeCbor, labelled, type CborValue, type Primitives } from '@keytide/crypto-core';
import { MAX_HYBRID_COUNTER, MAX_HYBRID_MS, notAfter, type HybridTime } from './hybrid-clock.ts';
import type { Body } from './body.ts';

/**
 * What one message says to the application (docs/spec/operations.md): a new item of a log, or a new record, an
 * edit or the end of one. It is the payload of an envelope, so relay and host never see it.
 */
export interface Operation {
  readonly act: 'append' | 'create' | 'edit' | 'remove';
  readonly collection: string;
  /** The room of a log (empty for its only one), or the id of a record: 64 hex characters. */
  readonly item: string;
  readonly time: HybridTime;
  readonly body: Body;
}

const ACTS = ['append', 'create', 'edit', 'remove'] as const;
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
 * Reads an operation, or says why it is none: `unknown-act` for one that a later build may know. The body is not yet
 * checked against a schema.
 * @param endMs where time ends for this message: a later reading counts as the last one before it
 */
export function parseOperation(bytes: Uint8Array, endMs: number): Operation | 'malformed' | 'unknown-act' {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, MAX_OPERATION_BYTES);
  } catch {
    return 'malformed';
  }
  if (!Array.isArray(value)) return 'malformed';
  const [version, kind] = value;
  if (isNumberFrom(2, version) || (version === 1 && isNumberFrom(ACTS.length, kind))) return 'unknown-act';
  if (value.length !== 7 || version !== 1) return 'malformed';
  const [, actNumber, collection, item, ms, counter, body] = value as readonly CborValue[];
  const act = typeof actNumber === 'number' ? ACTS[actNumber] : undefined;
  if (act === undefined || typeof collection !== 'string' || typeof item !== 'string') return 'malformed';
  if (!isIntegerBelow(ms, MAX_HYBRID_MS) || !isIntegerBelow(counter, MAX_HYBRID_COUNTER)) return 'malformed';
  if (typeof body !== 'object' || body === null || Array.isArray(body) || body instanceof Uint8Array)
    return 'malformed';
  return { act, collection, item, time: notAfter({ ms, counter }, endMs), body: body as Body };
}

/**
 * The 16-byte channel of a room or record. Travels encrypted, so the relay cannot tell which messages
 * belong to one record.
 */
export function channelOf(primitives: Primitives, collection: string, item: string): Uint8Array {
  return primitives.sha256(labelled('channelId', encodeCbor([collection, item]))).slice(0, 16);
}

/** What later versions and acts are numbered with. */
function isNumberFrom(first: number, value: CborValue | undefined): boolean {
  return Number.isSafeInteger(value) && (value as number) >= first;
}

function isIntegerBelow(value: unknown, limit: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < limit;
}
