import { compareBytes, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { compareHybrid, type HybridTime } from './hybrid-clock.ts';
import type { Body } from './body.ts';

/** Who wrote a field last, and when: decides which of two edits stays. */
interface Stamp {
  readonly time: HybridTime;
  readonly device: string;
}

/** One record as this replica sees it: each field's last writer, by hybrid time and then by device id. */
export interface MergedRecord {
  readonly id: string;
  readonly created: boolean;
  readonly fields: ReadonlyMap<string, Field>;
}

/** One device's write to a record. */
export interface RecordWrite extends Stamp {
  readonly creates: boolean;
  readonly body: Body;
}

/** A record nobody has written to. */
export function emptyRecord(id: string): MergedRecord {
  return { id, created: false, fields: new Map() };
}

/**
 * Merges one write. Pure, and the result depends on the set of writes only, not on their order or
 * repetition: for each field the latest stamp stays.
 */
export function mergeWrite(record: MergedRecord, write: RecordWrite): MergedRecord {
  const fields = new Map(record.fields);
  for (const [name, value] of Object.entries(write.body)) {
    const current = fields.get(name);
    if (current === undefined || isLater(write, value, current)) {
      fields.set(name, { value, stamp: { time: write.time, device: write.device } });
    }
  }
  return { id: record.id, created: record.created || write.creates, fields };
}

/** The record's fields as one object. */
export function bodyOf(record: MergedRecord): Body {
  return Object.fromEntries([...record.fields].map(([name, field]) => [name, field.value]));
}

interface Field {
  readonly value: unknown;
  readonly stamp: Stamp;
}

/** Values decide between equal stamps, which only a misbehaving device makes, so that replicas agree even then. */
function isLater(write: Stamp, value: unknown, current: Field): boolean {
  const byTime = compareHybrid(write.time, current.stamp.time);
  if (byTime !== 0) return byTime > 0;
  if (write.device !== current.stamp.device) return write.device > current.stamp.device;
  return compareBytes(encodeCbor(value as CborValue), encodeCbor(current.value as CborValue)) > 0;
}
