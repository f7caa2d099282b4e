import { sorted } from '@keytide/crypto-core';
import type { Body } from './body.ts';
import type { Origin } from './origin.ts';
import type { HybridTime } from './hybrid-clock.ts';
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

/** A write of this device that the log does not show yet. */
interface Waiting {
  readonly write: RecordWrite;
  readonly epoch: number;
}

/** Every operation on the records of a collection, and what they make of each record. */
export class RecordLedger {
  readonly #lines = new Map<string, Line[]>();
  readonly #records = new Map<string, MergedRecord>();
  readonly #seen = new Set<number>();
  /** By record, and then by its time: no two writes of one device have the same. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();
  /** What the waiting writes make of their records. */
  readonly #pending = new Map<string, MergedRecord>();

  /** Takes an operation in; `false` when it was there already. */
  add(operation: RecordOperation, write: RecordWrite | null): boolean {
    const { id, seq } = operation;
    if (this.#seen.has(seq)) return false;
    this.#seen.add(seq);
    const lines = this.#lines.get(id);
    if (lines === undefined) this.#lines.set(id, [{ operation, write }]);
    else lines.push({ operation, write });
    this.#pending.delete(id);
    if (write !== null) this.#records.set(id, mergeWrite(this.#records.get(id) ?? emptyRecord(id), write));
    return true;
  }

  /** Takes in what was written here and waits for the log to show it. */
  wait(id: string, write: RecordWrite, epoch: number): void {
    const waiting = this.#waiting.get(id) ?? new Map<string, Waiting>();
    waiting.set(nameOf(write.time), { write, epoch });
    this.#waiting.set(id, waiting);
    this.#pending.delete(id);
  }

  /** What waited is in the log; `false` when it did not wait. */
  arrived(id: string, time: HybridTime): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting?.delete(nameOf(time)) !== true) return false;
    if (waiting.size === 0) this.#waiting.delete(id);
    this.#pending.delete(id);
    return true;
  }

  /** Whether something that was written here to this record is not in the log yet. */
  isPending(id: string): boolean {
    return this.#waiting.has(id);
  }

  /**
   * Whether a removed record would be shown again once its removal is over: a later epoch has a write of the whole
   * record, by somebody who did not know.
   */
  isOutlived(id: string): boolean {
    if (this.#records.get(id)?.removed !== true) return false;
    const last = { create: 0, edit: 0, remove: 0 };
    const saw = ({ act }: RecordWrite, epoch: number): void => void (last[act] = Math.max(last[act], epoch));
    for (const { operation, write } of this.#lines.get(id) ?? [])
      if (write !== null) saw(write, operation.epoch);
    for (const { write, epoch } of this.#waiting.get(id)?.values() ?? []) saw(write, epoch);
    return last.create > last.remove;
  }

  /** A record that was created and not removed, or `null`. */
  get(id: string): MergedRecord | null {
    const record = this.#now(id);
    return record?.created && !record.removed ? record : null;
  }

  /** All records that were created and not removed, by id. */
  all(): MergedRecord[] {
    const ids = new Set([...this.#records.keys(), ...this.#waiting.keys()]);
    const shown = [...ids].map((id) => this.get(id)).filter((record) => record !== null);
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
    const hadWaiting = this.#forgetWaiting(throughEpoch);
    return this.#drop(({ epoch }) => epoch <= throughEpoch) || hadWaiting;
  }

  /** Lets go of what came after this place of the group's log; what waits stays. Answers whether there was any. */
  rewind(throughSeq: number): boolean {
    return this.#drop(({ seq }) => seq > throughSeq);
  }

  #drop(test: (operation: RecordOperation) => boolean): boolean {
    let had = false;
    for (const [id, lines] of [...this.#lines]) {
      const left = lines.filter(({ operation }) => !test(operation));
      if (left.length === lines.length) continue;
      had = true;
      for (const { operation } of lines) if (test(operation)) this.#seen.delete(operation.seq);
      this.#lines.delete(id);
      this.#records.delete(id);
      this.#pending.delete(id);
      if (left.length > 0) this.#lines.set(id, left);
      const writes = left.map(({ write }) => write).filter((write) => write !== null);
      if (writes.length > 0) this.#records.set(id, writes.reduce(mergeWrite, emptyRecord(id)));
    }
    return had;
  }

  #forgetWaiting(throughEpoch: number): boolean {
    let had = false;
    for (const [id, waiting] of [...this.#waiting])
      for (const { write, epoch } of [...waiting.values()])
        if (epoch <= throughEpoch) had = this.arrived(id, write.time) || had;
    return had;
  }

  /** The record as the log has it, and what waits on top. */
  #now(id: string): MergedRecord | null {
    const record = this.#records.get(id) ?? null;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return record;
    const writes = [...waiting.values()].map(({ write }) => write);
    const pending = this.#pending.get(id) ?? writes.reduce(mergeWrite, record ?? emptyRecord(id));
    this.#pending.set(id, pending);
    return pending;
  }
}

function nameOf({ ms, counter }: HybridTime): string {
  return `${ms}/${counter}`;
}
