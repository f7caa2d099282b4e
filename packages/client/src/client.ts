import type { MemberId } from '@keytide/crypto-core';
import type { Access } from './access.ts';
import type { Attachments } from './attachments.ts';
import { unlessSame, type ClientEvents, type Unreadable } from './client-events.ts';
import type { ClientOptions } from './client-options.ts';
import { ClientCore } from './client-core.ts';
import { openParts } from './client-parts.ts';
import type { Collections, Declarations } from './collection.ts';
import type { SyncState } from './connection.ts';
import type { Direct } from './direct.ts';
import type { Divergence, Missing } from './group-replica.ts';
import type { Identity } from './identity.ts';
import { Membership } from './membership.ts';
import { membersIn, type MemberView } from './people.ts';
import { Push } from './push.ts';
import type { Rejected } from './rejection.ts';
import type { RetentionDue } from './release.ts';
import { shortenedBy, type ShortenedRetention } from './retained.ts';
import type { Witnesses } from './witness-demand.ts';

const cores = new WeakMap<Membership, ClientCore>();

/** What a client is made of. For the subpaths of this package. */
export function coreOf<D extends Declarations>(client: Client<D>): ClientCore {
  return cores.get(client) as ClientCore;
}

/** One device of one organisation: typed collections, kept in step with the relay. */
export class Client<D extends Declarations> extends Membership {
  readonly collections: Collections<D>;
  /** Asking for the keys of what this device cannot read, and what an admin does about such requests. */
  readonly access: Access;
  /** Files beside messages. */
  readonly attachments: Attachments;
  /** Messages between this member and one other. */
  readonly direct: Direct;
  /** Being told that there is something new while this client is not connected. */
  readonly push: Push;
  readonly #definition: D;
  readonly #core: ClientCore;
  #unreadable: readonly Unreadable[] = [];

  private constructor(definition: D, core: ClientCore) {
    super(core.identity, { ...core.parts, ports: core.log.ports, log: core.log, epochs: core.epochs });
    this.#definition = definition;
    this.#core = core;
    cores.set(this, core);
    this.collections = Object.fromEntries(core.collections) as unknown as Collections<D>;
    this.access = core.access;
    this.attachments = core.attachments;
    this.direct = core.direct;
    this.push = new Push(core.parts.api, () => core.sync.assertNotOver());
  }

  /** Opens what the store holds, without the network. Use `createOrganisation`, `join` or `connect`. */
  static async open<D extends Declarations>(
    options: ClientOptions<D>,
    identity: Identity,
  ): Promise<Client<D>> {
    const core = new ClientCore(options, identity, await openParts(options, identity));
    await core.start();
    return new Client(options.definition, core);
  }

  /** Where this client stands with its relay. */
  get state(): SyncState {
    return this.#core.sync.state;
  }

  /** Messages that are safe on this device and not yet seen in the group's log. */
  get waiting(): number {
    const { outbox, unsealed } = this.#core.parts;
    return outbox.size + unsealed.size;
  }

  /** The number of the newest epoch, or 0 before the first. */
  get epoch(): number {
    return this.#core.epochs.current?.epoch ?? 0;
  }

  /** How many entries of the membership log this device has verified. */
  get directorySize(): number {
    return this.#core.parts.directory.size;
  }

  /**
   * The newest checkpoint of the membership log that the relay has signed and this device has found true: the signed
   * note, fit to be shown to others and compared. `null` before the first, and where the policy names no relay's key.
   */
  get checkpoint(): { readonly size: number; readonly note: Uint8Array } | null {
    const newest = this.#core.parts.directory.checkpoint;
    return newest === null ? null : { size: newest.size, note: newest.note.slice() };
  }

  /**
   * Which admins have lately cosigned the membership log that this device holds, and whether they are as many as the
   * policy demands. Until they are, no epoch starts here and nobody is let in; what takes rights away goes on.
   */
  get witnesses(): Witnesses {
    return this.#core.sync.witnessing.witnesses;
  }

  /**
   * The collections that are declared to stay for longer than the organisation's policy allows: they stay for as long
   * as it allows. A warning for who makes the app. The same array until the membership log grows.
   */
  get shortened(): readonly ShortenedRetention[] {
    return this.#core.changes.kept('shortened', () =>
      this.#core.parts.directory.size === 0 ? [] : shortenedBy(this.#definition, this.policy),
    );
  }

  /** How many frames of live values and heartbeats were refused since the start, by code (docs/spec/errors.md). */
  get liveRefusals(): ReadonlyMap<string, number> {
    return this.#core.live.refusals;
  }

  /**
   * How many seconds this device's clock is behind, negative where it is ahead, and 0 while it may be right: within 10
   * minutes. By the word of the relay at the last connection, or before the first by what others have signed: a reason
   * to have a person look at the clock, and no more. A device whose clock is behind cannot publish sealing keys, so it
   * starts no epoch and in the end gets no new keys; one that is ahead shows, as a member's, too little.
   */
  get clockBehindSeconds(): number {
    return this.#core.changes.kept('clock', () => this.#core.parts.time.clockBehindSeconds);
  }

  /**
   * When another device was heard last, by this device's clock, `null` if not since the start. In a group with others
   * who are connected, more than fifteen minutes of silence may mean that this device is cut off.
   */
  get heardMs(): number | null {
    return this.#core.heartbeats.heardMs;
  }

  /**
   * What the relay is about to forget, for devices of admins and exporters: as it said at the last connection, or when
   * it hinted since that another day has come due; `null` before, and for others. `retentionDue` asks it anew.
   */
  get dueSoon(): RetentionDue | null {
    return this.#core.changes.kept('due-soon', () => this.#core.dueSoon.due);
  }

  /** Everything that cannot be read, in the order it was found: the same array until it has changed. */
  get unreadable(): readonly Unreadable[] {
    return this.#core.changes.kept('unreadable', () => {
      this.#unreadable = unlessSame(this.#unreadable, this.#core.arrivals.unreadable);
      return this.#unreadable;
    });
  }

  /** Every authentic message that breaks the application's rules: it has changed nothing. In the order it was found. */
  get rejected(): readonly Rejected[] {
    return this.#core.arrivals.rejected;
  }

  /** Every sender's messages that the relay has not given to this device, in the order it was found. */
  get missing(): readonly Missing[] {
    return this.#core.arrivals.missing;
  }

  /** Proof that the relay showed members different logs of the group, or `null`. */
  get divergence(): Divergence | null {
    return this.#core.arrivals.divergence;
  }

  /**
   * Calls `listener` at each event from now on; the returned function ends it. The first listener to `missing`
   * is called at once for what was found before, as while the client was opened.
   */
  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    return this.#core.events.on(event, listener);
  }

  /**
   * Calls `listener` when `state`, `members()`, `unreadable`, `shortened`, `dueSoon` or `clockBehindSeconds` may be different, at most
   * once for what arrived together; the returned function ends it. Collections have their own.
   */
  subscribe(listener: () => void): () => void {
    return this.#core.changes.subscribe(listener);
  }

  /**
   * Resolves once this device has caught up with the relay.
   * @throws ClientError why sync stopped, or `closed`
   */
  online(): Promise<void> {
    return this.#core.sync.until(() => this.state.kind === 'online');
  }

  /**
   * Resolves once everything written so far has come back in the group's log.
   * @throws ClientError why sync stopped, or `closed`
   */
  settled(): Promise<void> {
    return this.#core.sync.until(() => this.waiting === 0);
  }

  /** The organisation's current members, by this device's verified log: the same array until it has changed. */
  members(): readonly MemberView[] {
    const isChanged = (member: MemberId): boolean => this.#core.parts.identities.isChanged(member);
    return this.#core.changes.kept('members', () =>
      membersIn(this.#core.parts.directory.state, this.member, isChanged),
    );
  }

  /**
   * Takes note of a member's devices, once the person has made sure of them: `changed` is false until they change
   * again. Give the view that was shown: what changed after it is not acknowledged. Durable when it resolves.
   */
  async acknowledge({ id, asOf }: Pick<MemberView, 'id' | 'asOf'>): Promise<void> {
    await this.#core.parts.identities.acknowledge(id, Math.min(asOf, this.#core.parts.directory.size));
    this.#core.changes.changed('members');
    this.#core.tell();
    this.access.wake();
  }

  /**
   * For an app that goes to the background: ends the connection and begins no other. What is written is kept, and
   * goes out after `resume`.
   */
  pause(): void {
    this.#core.sync.pause();
  }

  /**
   * For an app that comes to the foreground, or learns that there is a network again: connects at once instead of at
   * the next attempt, finds out whether an open connection is still alive, and does what time has made due.
   */
  resume(): void {
    this.#core.sync.resume();
  }

  /** Finishes what is under way, keeps what is not sent, and lets go of the store. Again, it does nothing more. */
  close(): Promise<void> {
    return this.#core.end.close();
  }
}
