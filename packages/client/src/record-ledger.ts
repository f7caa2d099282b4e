import { sorted } from '@keytide/crypto-core';
import type { Body } from './body.ts';
import type { Origin } from './origin.ts';
import { emptyRecord, mergeWrite, type MergedRecord, type RecordWrite } from './record.ts';
import type { RejectionCode } from './rejection.ts';

/** One operation on a record, whether or not it counts. */
export interface RecordOperation extends Origin {
  readonly id: string;
  readonly act: 'create' | 'edit' | 'remove';
  /** The fields that it sets; as its author wrote them when it does not count. */
  readonly changed: Body;
  /** Why it changes nothing; `null` when it counts. */
  readonly rejected: RejectionCode | null;
}

interface Line {
  readonly operation: RecordOperation;
  /** `null` when it does not count. */
  readonly write: RecordWrite | null;
}

/** Every operation on the records of a collection, and what they make of each record. */
export class RecordLedger {
  readonly #lines = new Map<string, Line[]>();
  readonly #records = new Map<string, MergedRecord>();
  readonly #seen = new Set<number>();

  /** Takes an operation in; `false` when it was there already. */
  add(operation: RecordOperation, write: RecordWrite | null): boolean {
    const { id, seq } = operation;
    if (this.#seen.has(seq)) return false;
    this.#seen.add(seq);
    const lines = this.#lines.get(id);
    if (lines === undefined) this.#lines.set(id, [{ operation, write }]);
    else lines.push({ operation, write });
    if (write !== null) this.#records.set(id, mergeWrite(this.#records.get(id) ?? emptyRecord(id), write));
    return true;
  }

  /** A record that was created and not removed, or `null`. */
  get(id: string): MergedRecord | null {
    const record = this.#records.get(id);
    return record?.created && !record.removed ? record : null;
  }

  /** All records that were created and not removed, by id. */
  all(): MergedRecord[] {
    const shown = [...this.#records.values()].filter(({ created, removed }) => created && !removed);
    return sorted(shown, (a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Every operation on a record, in the log's order. */
  history(id: string): RecordOperation[] {
    const operations = (this.#lines.get(id) ?? []).map(({ operation }) => operation);
    return sorted(operations, (a, b) => a.seq - b.seq);
  }

  /**
   * Lets go of what was written in this epoch or before: a record is what was written since makes of it.
   * Answers whether there was any.
   */
  forget(throughEpoch: number): boolean {
    let had = false;
    for (const [id, lines] of [...this.#lines]) {
      const left = lines.filter(({ operation }) => operation.epoch > throughEpoch);
      if (left.length === lines.length) continue;
      had = true;
      for (const { operation } of lines)
        if (operation.epoch <= throughEpoch) this.#seen.delete(operation.seq);
      this.#lines.delete(id);
      this.#records.delete(id);
      if (left.length > 0) this.#lines.set(id, left);
      const writes = left.map(({ write }) => write).filter((write) => write !== null);
      if (writes.length > 0) this.#records.set(id, writes.reduce(mergeWrite, emptyRecord(id)));
    }
    return had;
  }
}
