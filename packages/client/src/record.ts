import { compareBytes, CryptoError, encodeCbor, type CborValue } from '@keytide/crypto-core';
import type { Body } from './body.ts';
import { compareHybrid, type HybridTime } from './hybrid-clock.ts';

/** Who wrote a field, and when: decides which of two values stays. */
interface Stamp {
  readonly time: HybridTime;
  readonly device: string;
}

/** One record as this replica sees it: of each field, the write that stays. */
export interface MergedRecord {
  readonly id: string;
  readonly created: boolean;
  /** Removed once is removed for good. */
  readonly removed: boolean;
  readonly fields: ReadonlyMap<string, Field>;
}

/** One device's write to a record. */
export interface RecordWrite extends Stamp {
  readonly act: 'create' | 'edit' | 'remove';
  readonly body: Body;
  /** The fields that the author may not change, but had to fill in: they give way to whoever may. */
  readonly initial: readonly string[];
}

/** A record nobody has written to. */
export function emptyRecord(id: string): MergedRecord {
  return { id, created: false, removed: false, fields: new Map() };
}

/**
 * Merges one write. Pure, and the result depends on the set of writes only, not on their order or
 * repetition: for each field the latest change stays, and where there is none the first initial value.
 */
export function mergeWrite(record: MergedRecord, write: RecordWrite): MergedRecord {
  const { time, device, act, body, initial } = write;
  const fields = new Map(record.fields);
  for (const [name, value] of Object.entries(body)) {
    const field = { value, stamp: { time, device }, isInitial: initial.includes(name) };
    const current = fields.get(name);
    if (current === undefined || staysOver(field, current)) fields.set(name, field);
  }
  return {
    id: record.id,
    created: record.created || act === 'create',
    removed: record.removed || act === 'remove',
    fields,
  };
}

/** The record's fields as one object. */
export function bodyOf(record: MergedRecord): Body {
  return Object.fromEntries([...record.fields].map(([name, field]) => [name, field.value]));
}

interface Field {
  readonly value: unknown;
  readonly stamp: Stamp;
  readonly isInitial: boolean;
}

function staysOver(field: Field, current: Field): boolean {
  if (field.isInitial !== current.isInitial) return current.isInitial;
  return field.isInitial ? isLater(current, field) : isLater(field, current);
}

/** Values decide between equal stamps, which only a misbehaving device makes, so that replicas agree even then. */
function isLater(a: Field, b: Field): boolean {
  const byTime = compareHybrid(a.stamp.time, b.stamp.time);
  if (byTime !== 0) return byTime > 0;
  if (a.stamp.device !== b.stamp.device) return a.stamp.device > b.stamp.device;
  return compareBytes(encoded(a.value), encoded(b.value)) > 0;
}

/** A schema may make of a peer's value what has no encoding; between two of those, the first in the log stays. */
function encoded(value: unknown): Uint8Array {
  try {
    return encodeCbor(value as CborValue);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return new Uint8Array(0);
  }
}
