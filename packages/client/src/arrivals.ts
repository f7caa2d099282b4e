import type { DeviceId } from '@keytide/crypto-core';
import type { ClientEvents, Unreadable } from './client-events.ts';
import type { AnyCollection } from './collection.ts';
import type { CollectionWindows } from './collection-windows.ts';
import type { Emitter } from './emitter.ts';
import type { Divergence, Missing, Outcome, UnreadableCode } from './group-replica.ts';
import type { HybridClock } from './hybrid-clock.ts';
import type { Judge } from './judge-message.ts';
import { parseOperation } from './operation.ts';
import type { Rejected } from './rejection.ts';

/** Where what arrives goes. */
interface ArrivalsOptions {
  readonly device: DeviceId;
  readonly judge: Judge;
  readonly collections: ReadonlyMap<string, AnyCollection>;
  readonly clock: HybridClock;
  readonly events: Emitter<ClientEvents>;
  readonly windows: CollectionWindows;
  /** Whether what was written in this epoch is over, by the retention window. */
  isExpired(epoch: number): boolean;
}

/** What the log's last word on an entry was. */
interface Told extends Unreadable {
  readonly epoch: number | null;
}

/** Where something that was read belongs. */
interface Read {
  readonly epoch: number;
  /** `null` where it does not say. */
  readonly collection: string | null;
}

/** What goes with the epoch's key; everything else that is wrong with an entry stays so. */
const KEYLESS: ReadonlySet<UnreadableCode> = new Set<UnreadableCode>([
  'ask-an-admin',
  'key-not-yet-arrived',
  'sealing-key-expired',
]);

/** What a member's word about the group's log tells of the relay. */
export interface Finding {
  readonly missing: readonly Missing[];
  readonly divergence: Divergence | null;
}

/** What the group's log brings: to each collection what is its own, and an account of what shows nothing. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #unreadable = new Map<number, Told>();
  readonly #rejected = new Map<number, Rejected>();
  /** What was read, by its place in the log. */
  readonly #read = new Map<number, Read>();
  readonly #missing = new Map<string, Missing>();
  readonly #divergences = new Map<DeviceId, Divergence>();
  /** Whether anything of this device has waited since the start. */
  #hasWaited = false;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Everything that cannot be read, in the order it was found. */
  get unreadable(): readonly Unreadable[] {
    return [...this.#unreadable.values()].map(shownOf);
  }

  /** Every authentic message that breaks the application's rules, in the order it was found. */
  get rejected(): readonly Rejected[] {
    return [...this.#rejected.values()];
  }

  /** Everything that the relay has not given, in the order it was found. */
  get missing(): readonly Missing[] {
    return [...this.#missing.values()];
  }

  /** The first proof that the relay showed members different logs of the group, or `null`. */
  get divergence(): Divergence | null {
    const [first = null] = this.#divergences.values();
    return first;
  }

  /** Takes what was written here under this epoch, and waits for the log to show it. */
  wait(payload: Uint8Array, epoch: number): void {
    const { clock, collections, windows, isExpired } = this.#options;
    const operation = parseOperation(payload, Infinity);
    if (typeof operation === 'string') return;
    // What is written after a restart comes after it.
    clock.saw(operation.time);
    if (isExpired(epoch) || windows.isOver(operation.collection, epoch)) return;
    this.#hasWaited = true;
    collections.get(operation.collection)?.wait?.(operation, epoch);
  }

  /** Takes what the next entry, or an earlier one anew, turned out to be: the same twice is told once. */
  take(outcome: Outcome): void {
    const { seq, epoch } = outcome;
    if (outcome.kind === 'unreadable') return this.#addUnreadable({ seq, epoch, code: outcome.code });
    if (outcome.kind === 'forgotten') {
      const { throughSeq, divergence } = outcome;
      this.report({ missing: [], divergence });
      return this.#addUnreadable({ seq, throughSeq, epoch: null, code: 'expired-by-policy' });
    }
    this.report(outcome);
    if (outcome.kind === 'epoch') return void this.#unreadable.delete(seq);
    const { message } = outcome;
    if (this.#hasWaited && message.sender === this.#options.device) this.#arrived(message.payload);
    const judged = this.#options.judge(outcome, 'accept');
    if (judged === null) return this.#addUnreadable({ seq, epoch, code: 'expired-by-policy' });
    const { origin, operation, code } = judged;
    const { collection, item } = operation ?? { collection: null, item: null };
    if (code === null && operation !== null) this.#options.clock.saw(operation.time);
    this.#read.set(seq, { epoch: origin.epoch, collection });
    // A message that was refused can come again: once its sender has vouched for it, or with its key.
    if (code === null) return void this.#unreadable.delete(seq);
    this.#addUnreadable({ seq, epoch, code: 'invalid' });
    this.#addRejected({ ...origin, code, collection, item, payload: message.payload });
  }

  /** Lets go of everything that was written in this epoch or before: its time is over. */
  forget(throughEpoch: number): void {
    const code = 'expired-by-policy';
    for (const collection of this.#options.collections.values()) collection.forget?.(throughEpoch);
    for (const told of [...this.#unreadable.values()])
      if (told.epoch !== null && told.epoch <= throughEpoch && KEYLESS.has(told.code))
        this.#addUnreadable({ ...told, code });
    this.#drop(({ epoch }) => epoch <= throughEpoch);
  }

  /** Lets go of everything after this place of the log: it goes on otherwise. */
  rewind(throughSeq: number): void {
    for (const collection of this.#options.collections.values()) collection.rewind?.(throughSeq);
    for (const bySeq of [this.#unreadable, this.#rejected, this.#read])
      for (const seq of [...bySeq.keys()]) if (seq > throughSeq) bySeq.delete(seq);
  }

  /** Lets go of what is over for its collection alone. */
  forgetShort(): void {
    for (const { collection, throughEpoch } of this.#options.windows.over()) {
      this.#options.collections.get(collection)?.forget?.(throughEpoch);
      this.#drop((read) => read.collection === collection && read.epoch <= throughEpoch);
    }
  }

  /** Lets go of what others wrote against the rules: it is kept as it was read. */
  empty(): void {
    this.#rejected.clear();
    this.#options.events.forget('rejected');
  }

  /** Takes what the relay is found not to have given, or to have given otherwise. */
  report({ missing, divergence }: Finding): void {
    for (const run of missing) this.#addMissing(run);
    if (divergence !== null) this.#reportDivergence(divergence);
  }

  /** By the time that its writer gave it: what counts may be earlier. */
  #arrived(payload: Uint8Array): void {
    const operation = parseOperation(payload, Infinity);
    if (typeof operation === 'string') return;
    this.#options.collections.get(operation.collection)?.arrived?.(operation);
  }

  #drop(isOver: (read: Read) => boolean): void {
    for (const [seq, read] of this.#read) {
      if (!isOver(read)) continue;
      this.#read.delete(seq);
      this.#rejected.delete(seq);
      this.#addUnreadable({ seq, epoch: read.epoch, code: 'expired-by-policy' });
    }
  }

  #addMissing(missing: Missing): void {
    const name = `${missing.device}/${missing.from}/${missing.to}`;
    if (this.#missing.has(name)) return;
    this.#missing.set(name, missing);
    this.#options.events.emit('missing', missing);
  }

  /** Once for each device: after its first contradiction every later claim of it contradicts too. */
  #reportDivergence(divergence: Divergence): void {
    if (this.#divergences.has(divergence.device)) return;
    this.#divergences.set(divergence.device, divergence);
    this.#options.events.emit('divergence', divergence);
  }

  #addUnreadable(told: Told): void {
    const { seq, code } = told;
    if (this.#unreadable.get(seq)?.code === code) return;
    this.#unreadable.set(seq, told);
    this.#options.events.emit('unreadable', shownOf(told));
  }

  #addRejected(rejected: Rejected): void {
    if (this.#rejected.has(rejected.seq)) return;
    this.#rejected.set(rejected.seq, rejected);
    this.#options.events.emit('rejected', rejected);
  }
}

function shownOf({ seq, throughSeq, code }: Told): Unreadable {
  return throughSeq === undefined ? { seq, code } : { seq, throughSeq, code };
}
