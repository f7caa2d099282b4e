import { decodeCbor, encodeCbor, equalBytes, type CborValue, type Random } from '@keytide/crypto-core';
import { ClientError } from './errors.ts';
import type { Journal } from './journal.ts';
import { Serial } from './serial.ts';

/** A sealed message that the group's log may not hold yet. */
export interface Outgoing {
  /** 16 bytes: makes sending it again harmless. */
  readonly messageId: Uint8Array;
  readonly envelope: Uint8Array;
  /** Its place in this device's chain. */
  readonly counter: number;
  readonly link: Uint8Array;
  /** The counter of the message that this one says again, because the log went on without it. */
  readonly replaces: number | null;
}

const MAX_RECORD_BYTES = 512 * 1024;

/**
 * Messages that are durable here and not yet seen in the group's log, in order. They leave only when they
 * come back in the log, so neither a crash nor a relay that forgets what it acknowledged loses one.
 */
export class Outbox {
  readonly #journal: Journal;
  /** What comes back in the log must not empty the file under a message that is being added. */
  readonly #writing = new Serial();
  readonly #waiting: Outgoing[];
  /** The counters of what a message in the file says again. */
  readonly #replaced: Set<number | null>;
  #passedOver: Outgoing[] = [];

  private constructor(journal: Journal, waiting: Outgoing[], replaced: Set<number | null>) {
    this.#journal = journal;
    this.#waiting = waiting;
    this.#replaced = replaced;
  }

  static async open(journal: Journal): Promise<Outbox> {
    const stored = (await journal.read(0)).map(decodeOutgoing);
    const replaced = new Set(stored.map(({ replaces }) => replaces));
    return new Outbox(
      journal,
      stored.filter(({ counter }) => !replaced.has(counter)),
      replaced,
    );
  }

  get size(): number {
    return this.#waiting.length + this.#passedOver.length;
  }

  /** Messages that can no longer enter the log: a later one of this device did. They must be said again. */
  get passedOver(): readonly Outgoing[] {
    return this.#passedOver;
  }

  /** Every message that is safe here and not yet seen in the log. */
  get all(): readonly Outgoing[] {
    return [...this.#waiting, ...this.#passedOver];
  }

  /** The message with the highest counter, given up or not: no counter is used twice. `null` in an empty outbox. */
  get last(): Outgoing | null {
    let last = this.#waiting[this.#waiting.length - 1] ?? null;
    for (const outgoing of this.#passedOver) if (outgoing.counter > (last?.counter ?? -1)) last = outgoing;
    return last;
  }

  /**
   * Gives up the waiting envelopes after `counter` from the first that makes `test` true; they must be said
   * again. Answers whether there were any.
   */
  passOver(counter: number, test: (outgoing: Outgoing) => boolean): boolean {
    const first = this.#waiting.findIndex((outgoing) => outgoing.counter > counter && test(outgoing));
    if (first >= 0) this.#passedOver.push(...this.#waiting.splice(first));
    return first >= 0;
  }

  /** Forgets messages whose keys are gone: they can neither be sent nor said again. Answers how many there were. */
  forget(test: (outgoing: Outgoing) => boolean): number {
    const before = this.size;
    const left = this.#waiting.filter((outgoing) => !test(outgoing));
    this.#waiting.splice(0, this.#waiting.length, ...left);
    this.#passedOver = this.#passedOver.filter((outgoing) => !test(outgoing));
    return before - this.size;
  }

  /** The oldest messages after `counter`: at most `count`, and `sizeBytes` together where one is not larger alone. */
  after(counter: number, count: number, sizeBytes: number): readonly Outgoing[] {
    const first = this.#waiting.findIndex((outgoing) => outgoing.counter > counter);
    if (first < 0) return [];
    let total = 0;
    const batch: Outgoing[] = [];
    for (const outgoing of this.#waiting.slice(first, first + count)) {
      total += outgoing.envelope.length;
      if (batch.length > 0 && total > sizeBytes) break;
      batch.push(outgoing);
    }
    return batch;
  }

  /** Adds messages; they are durable when this resolves. */
  add(added: readonly Outgoing[]): Promise<void> {
    return this.#writing.run(async () => {
      await this.#journal.append(added.map(encodeOutgoing));
      await this.#journal.flush();
      this.#waiting.push(...added);
      for (const { replaces } of added) this.#replaced.add(replaces);
      this.#passedOver = this.#passedOver.filter(({ counter }) => !this.#replaced.has(counter));
    });
  }

  /** Forgets a message of this device that has come back in the log; call it for each, in the log's order. */
  seen(counter: number, link: Uint8Array): void {
    while ((this.#waiting[0]?.counter ?? Infinity) <= counter) {
      const outgoing = this.#waiting.shift() as Outgoing;
      if (outgoing.counter !== counter || !equalBytes(outgoing.link, link)) this.#passedOver.push(outgoing);
    }
  }

  /** Whether what this device said under this counter is said again by a message here. */
  saysAgain(counter: number): boolean {
    return this.#replaced.has(counter);
  }

  /** Gives every waiting message a new id, for a relay that has other bytes under the old one. */
  renewIds(random: Random): void {
    for (const [i, outgoing] of this.#waiting.entries()) {
      this.#waiting[i] = { ...outgoing, messageId: random(16) };
    }
  }

  /** Whether the file holds only messages that no longer wait. */
  get canCompact(): boolean {
    return this.size === 0 && this.#journal.length > 0;
  }

  /** Empties the file once nothing waits. The log that holds the messages must be durable before. */
  compact(): Promise<void> {
    return this.#writing.run(async () => {
      if (!this.canCompact) return;
      await this.#journal.cut(0);
      this.#replaced.clear();
    });
  }
}

function encodeOutgoing(outgoing: Outgoing): Uint8Array {
  const { messageId, counter, link, envelope, replaces } = outgoing;
  return encodeCbor([1, messageId, counter, link, envelope, replaces]);
}

function decodeOutgoing(record: Uint8Array): Outgoing {
  const fields = readFields(record);
  const [version, messageId, counter, link, envelope, replaces] = fields;
  if (
    fields.length === 6 &&
    version === 1 &&
    messageId instanceof Uint8Array &&
    isCount(counter) &&
    link instanceof Uint8Array &&
    envelope instanceof Uint8Array &&
    (replaces === null || isCount(replaces))
  ) {
    return { messageId, counter, link, envelope, replaces };
  }
  throw damaged();
}

function readFields(record: Uint8Array): readonly (CborValue | undefined)[] {
  try {
    const value = decodeCbor(record, MAX_RECORD_BYTES);
    return Array.isArray(value) ? (value as CborValue[]) : [];
  } catch (cause) {
    throw damaged(cause);
  }
}

function isCount(value: CborValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function damaged(cause?: unknown): ClientError {
  return new ClientError('store-damaged', 'a stored message of the outbox is not one', { cause });
}
