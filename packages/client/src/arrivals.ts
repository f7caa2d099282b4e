import type { DeviceId, MemberId, OpenedMessage, Primitives } from '@keytide/crypto-core';
import type { ClientEvents, Unreadable } from './client-events.ts';
import type { AnyCollection } from './collection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Emitter } from './emitter.ts';
import type { Divergence, Missing, Outcome, UnreadableCode } from './group-replica.ts';
import type { HybridClock } from './hybrid-clock.ts';
import { channelOf, parseOperation, type Operation } from './operation.ts';
import type { Origin } from './origin.ts';

/** Where what arrives goes. */
interface ArrivalsOptions {
  readonly primitives: Primitives;
  readonly directory: DirectoryReplica;
  readonly collections: ReadonlyMap<string, AnyCollection>;
  readonly clock: HybridClock;
  readonly events: Emitter<ClientEvents>;
}

/** What the group's log brings: to each collection what is its own, and an account of what shows nothing. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #unreadable = new Map<number, Unreadable>();
  readonly #missing: Missing[] = [];
  readonly #divergences = new Map<DeviceId, Divergence>();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Everything that cannot be read, in the order it was found. */
  get unreadable(): readonly Unreadable[] {
    return [...this.#unreadable.values()];
  }

  /** Everything that the relay has not given, in the order it was found. */
  get missing(): readonly Missing[] {
    return [...this.#missing];
  }

  /** The first proof that the relay showed members different logs of the group, or `null`. */
  get divergence(): Divergence | null {
    const [first = null] = this.#divergences.values();
    return first;
  }

  /** Takes what the next entry, or an earlier one anew, turned out to be. */
  take(outcome: Outcome): void {
    // A message that was refused can come again, once its sender has vouched for it.
    this.#unreadable.delete(outcome.seq);
    if (outcome.kind === 'unreadable') return this.#addUnreadable(outcome.seq, outcome.code);
    for (const missing of outcome.missing) {
      this.#missing.push(missing);
      this.#options.events.emit('missing', missing);
    }
    if (outcome.divergence !== null) this.#reportDivergence(outcome.divergence);
    if (outcome.kind === 'epoch') return;
    const { message, seq, endMs, role } = outcome;
    const operation = parseOperation(message.payload, endMs);
    if (operation === null || !this.#accept(operation, message, { seq, role })) {
      this.#addUnreadable(seq, 'invalid');
    }
  }

  /** Once for each device: after its first contradiction every later claim of it contradicts too. */
  #reportDivergence(divergence: Divergence): void {
    if (this.#divergences.has(divergence.device)) return;
    this.#divergences.set(divergence.device, divergence);
    this.#options.events.emit('divergence', divergence);
  }

  #accept(operation: Operation, message: OpenedMessage, place: Pick<Origin, 'seq' | 'role'>): boolean {
    const { primitives, collections, clock } = this.#options;
    const expected = channelOf(primitives, operation.collection, operation.item);
    if (!expected.every((byte, i) => message.channel[i] === byte)) return false;
    const origin = this.#origin(message.sender, operation.time.ms, place);
    if (collections.get(operation.collection)?.accept?.(operation, origin) !== true) return false;
    clock.saw(operation.time);
    return true;
  }

  #origin(device: DeviceId, timeMs: number, place: Pick<Origin, 'seq' | 'role'>): Origin {
    const { devices, members } = this.#options.directory.state;
    const member = members.get(devices.get(device)?.member as MemberId);
    return { ...place, device, member: member?.id ?? '', handle: member?.handle ?? '', timeMs };
  }

  #addUnreadable(seq: number, code: UnreadableCode): void {
    const unreadable = { seq, code };
    this.#unreadable.set(seq, unreadable);
    this.#options.events.emit('unreadable', unreadable);
  }
}
