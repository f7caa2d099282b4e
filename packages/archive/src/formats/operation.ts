import { CryptoError, decodeCbor, type CborValue } from '@keytide/crypto-core';

const ACTS = ['append', 'create', 'edit', 'remove'] as const;

/** What a message says to the application: docs/spec/operations.md. */
export interface Operation {
  readonly act: (typeof ACTS)[number];
  readonly collection: string;
  /** A log's room, or a record's id. */
  readonly item: string;
  /** By the writer's clock, milliseconds since 1970. */
  readonly ms: number;
  readonly counter: number;
  readonly body: { readonly [field: string]: CborValue };
}

/** The operation in a payload; `null` for a payload that is none of this version. */
export function operationIn(payload: Uint8Array): Operation | null {
  const value = decoded(payload);
  if (!Array.isArray(value) || value.length !== 7) return null;
  const [version, code, collection, item, ms, counter, body] = value as readonly CborValue[];
  const act = typeof code === 'number' ? ACTS[code] : undefined;
  if (version !== 1 || act === undefined) return null;
  if (typeof collection !== 'string' || typeof item !== 'string') return null;
  if (!isBelow(ms, 2 ** 48) || !isBelow(counter, 2 ** 32) || !isMap(body)) return null;
  return { act, collection, item, ms, counter, body };
}

/** Whether a value is a map with text keys. */
export function isMap(value: CborValue | undefined): value is { readonly [field: string]: CborValue } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function decoded(payload: Uint8Array): CborValue {
  try {
    return decodeCbor(payload, payload.length);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return null;
  }
}

function isBelow(value: CborValue | undefined, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < limit;
}
