import type { MemberId } from '@keytide/crypto-core';
import { everyoneGroup } from '@keytide/key-directory';
import { accessApi } from './access-api.ts';
import { Access } from './access.ts';
import type { MembershipLog } from './append-entry.ts';
import { Arrivals } from './arrivals.ts';
import { Attachments } from './attachments.ts';
import { Changes } from './changes.ts';
import { unlessSame, type ClientEvents, type Unreadable } from './client-events.ts';
import type { ClientOptions } from './client-options.ts';
import { openParts, type ClientParts } from './client-parts.ts';
import { CollectionWindows } from './collection-windows.ts';
import {
  makeCollections,
  type AnyCollection,
  type Collections,
  type Declarations,
  type Submit,
} from './collection.ts';
import type { SyncState } from './connection.ts';
import { Direct } from './direct.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { Emitter } from './emitter.ts';
import { EpochRing, type Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import { GroupReplica, type Divergence, type Missing } from './group-replica.ts';
import { Heartbeats } from './heartbeats.ts';
import { HybridClock } from './hybrid-clock.ts';
import type { IdentityWatch } from './identity-watch.ts';
import type { Identity } from './identity.ts';
import { Live, type LiveConnection } from './live.ts';
import { Membership } from './membership.ts';
import { channelOf, encodeOperation } from './operation.ts';
import type { Origin } from './origin.ts';
import type { Outbox } from './outbox.ts';
import { membersIn, type MemberView } from './people.ts';
import type { Rejected } from './rejection.ts';
import type { RelayApi } from './relay-api.ts';
import { RelayData } from './relay-data.ts';
import { Removals } from './removals.ts';
import { shortenedBy, type ShortenedRetention } from './retained.ts';
import { Retention } from './retention.ts';
import type { SignedEntries } from './signed-entries.ts';
import { Sync } from './sync.ts';
import { isAdmin } from './trusted-time.ts';
import { locked, UnlockLease } from './unlock-lease.ts';
import { carryOut, handIn, wiped, wipeOrderIn, type WipeOrder } from './wipe.ts';
import type { Witnesses } from './witness-demand.ts';

/** One device of one organisation: typed collections, kept in step with the relay. */
export class Client<D extends Declarations> extends Membership {
  readonly collections: Collections<D>;
  /** Asking for the keys of what this device cannot read, and what an admin does about such requests. */
  readonly access: Access;
  /** Files beside messages. */
  readonly attachments: Attachments;
  /** Messages between this member and one other. */
  readonly direct: Direct;
  readonly #options: ClientOptions<D>;
  readonly #self: Self;
  readonly #api: RelayApi;
  readonly #directory: DirectoryReplica;
  readonly #sync: Sync;
  readonly #outbox: Outbox;
  readonly #epochs: EpochRing;
  readonly #retention: Retention;
  readonly #events = new Emitter<ClientEvents>([
    'missing',
    'rejected',
    'identity',
    'own-device',
    'stolen-key',
    'refused-document',
    'unsent',
    'unlock-attempts',
  ]);
  readonly #changes = new Changes();
  #unreadable: readonly Unreadable[] = [];
  readonly #byName: ReadonlyMap<string, AnyCollection>;
  readonly #arrivals: Arrivals;
  readonly #identities: IdentityWatch;
  readonly #signed: SignedEntries;
  #isStarted = false;
  readonly #live: Live;
  readonly #heartbeats: Heartbeats;
  readonly #removals: Removals;
  readonly #lease: UnlockLease | null;
  readonly #closing = new AbortController();
  #closed: Promise<void> | null = null;
  /** The end that this client makes by itself, once there is a reason. */
  #ending: Promise<void> | null = null;

  private constructor(options: ClientOptions<D>, identity: Identity, parts: ClientParts) {
    const { ports } = options;
    super(identity, { ...parts, ports });
    this.#options = options;
    this.#self = parts.self;
    this.#api = parts.api;
    this.#directory = parts.directory;
    this.#identities = parts.identities;
    this.#signed = parts.signed;
    parts.directory.onGrown = () => {
      this.#retention.sawLog();
      this.#afterGrowth();
    };
    this.#outbox = parts.outbox;
    const group = everyoneGroup(ports.primitives, identity.org);
    this.#epochs = new EpochRing({
      primitives: ports.primitives,
      group,
      directory: parts.directory,
      self: parts.self,
      keys: parts.epochKeys,
      source: {
        canAsk: () => this.#isStarted,
        box: (epoch) => parts.api.box(group, epoch),
        pullDirectory: () => parts.directory.pull(parts.api),
      },
      windowStartMs: () => this.#retention.startMs,
    });
    const clock = new HybridClock();
    const submit: Submit = (operations) =>
      this.#sync
        .send(
          operations.map((operation) => ({
            channel: channelOf(ports.primitives, operation.collection, operation.item),
            payload: encodeOperation({ ...operation, time: clock.next(ports.clock.now()) }),
          })),
        )
        .then(() => this.#tell());
    this.attachments = new Attachments({
      ports,
      api: parts.api,
      keyStore: options.store.keys,
      retentionMs: () => this.policy.retentionSeconds * 1000,
    });
    const relayData = new RelayData(parts.api, (refused) => this.#events.emit('refused-document', refused));
    const replica = new GroupReplica(ports.primitives, group, this.#epochs);
    const sync = (): Sync => this.#sync;
    const connection: LiveConnection & Pick<Sync, 'judge'> = {
      get online() {
        return sync().online;
      },
      keys: () => sync().keys(),
      judge: (socket, job) => sync().judge(socket, job),
    };
    const shared = { ...parts, ports, group, epochs: this.#epochs, connection };
    this.#live = new Live({
      ...shared,
      collections: () => this.#byName,
      onHeartbeat: (...heartbeat) => this.#heartbeats.take(...heartbeat),
    });
    this.direct = new Direct({
      ...shared,
      org: identity.org,
      member: identity.member,
      keyStore: options.store.keys,
      isOnline: () => sync().online !== null,
      pullDirectory: () => sync().pullDirectory(),
      pullSealingRecords: () => sync().pullSealingRecords(),
    });
    this.#heartbeats = new Heartbeats({
      ...shared,
      replica,
      live: this.#live,
      onFinding: (finding) => this.#arrivals.report(finding),
    });
    this.#byName = makeCollections(options.definition, {
      submit,
      random: ports.random,
      author: () => this.#author,
      relayData,
      live: this.#live,
    });
    this.collections = Object.fromEntries(this.#byName) as unknown as Collections<D>;
    const windows = new CollectionWindows({
      definition: options.definition,
      epochs: this.#epochs,
      now: () => parts.time.now(),
      isAdmin: () => isAdmin(this.#directory.state, this.member),
    });
    this.#arrivals = new Arrivals({
      primitives: ports.primitives,
      device: this.device,
      directory: parts.directory,
      collections: this.#byName,
      clock,
      events: this.#events,
      windows,
      isExpired: (epoch) => this.#epochs.isExpired(epoch),
    });
    const { lease: place } = options.store;
    const { org, relayUrl } = identity;
    const onOver = (): void => {
      this.#ending ??= this.#lock();
    };
    this.#lease =
      place === undefined
        ? null
        : new UnlockLease({
            ...{ ...parts, ports, org, relayUrl, place, onOver },
            onAttempts: (wrong) => this.#events.emit('unlock-attempts', { wrong }),
          });
    this.#events.on('unreadable', () => this.#changes.changed('unreadable'));
    this.access = new Access({
      ports,
      log: this.membershipLog,
      group,
      api: accessApi(parts.api),
      requests: parts.requests,
      decisions: parts.decisions,
      epochs: this.#epochs,
      now: () => parts.time.now(),
      isChanged: (member) => parts.identities.isChanged(member),
      reread: () => this.#sync.reread(),
      tell: (event) => this.#events.emit('access', event),
    });
    this.#retention = new Retention({
      ...parts,
      ports,
      device: this.device,
      member: this.member,
      epochs: this.#epochs,
      replica,
      forget: (throughEpoch) => {
        this.#arrivals.forget(throughEpoch);
        this.#tell();
      },
      forgetShort: () => {
        this.#arrivals.forgetShort();
        this.#tell();
      },
      shortDueMs: () => windows.dueMs,
      onUnsent: (count) => this.#events.emit('unsent', { count }),
      onBack: () => void this.#sync.takeBack(),
      onFailure: (error) => this.#sync.deletionFailed(error),
    });
    this.#removals = new Removals({
      ports,
      collections: () => this.#byName.values(),
      isOnline: () => sync().online !== null,
    });
    this.#sync = new Sync({
      ...parts,
      ports,
      group,
      epochs: this.#epochs,
      replica,
      retention: this.#retention,
      onOutcome: (outcome) => {
        this.#arrivals.take(outcome);
        if (outcome.kind === 'message') this.#heartbeats.saw(outcome.message.sender);
        this.#changes.changed('unreadable');
      },
      onState: (state) => {
        this.#changes.changed('state');
        this.#events.emit('state', state);
      },
      onChanged: () => this.#tell(),
      onWaiting: (payload, epoch) => this.#arrivals.wait(payload, epoch),
      onWitnesses: (witnesses) => this.#events.emit('witnesses', witnesses),
      onEphemeral: (frame, socket) => this.#live.receive(frame, socket),
      parts: [
        relayData,
        this.attachments,
        this.#live,
        this.#heartbeats,
        this.access,
        this.direct,
        this.#removals,
        ...(this.#lease === null ? [] : [this.#lease]),
      ],
    });
  }

  /** Opens what the store holds, without the network. Use `createOrganisation`, `join` or `connect`. */
  static async open<D extends Declarations>(
    options: ClientOptions<D>,
    identity: Identity,
  ): Promise<Client<D>> {
    const parts = await openParts(options, identity);
    const { directory } = parts;
    const client = new Client(options, identity, parts);
    if (directory.size > 0) {
      client.#retention.sawLog();
      client.#lookForAlarms();
      await client.#loadStored();
      // What is over is gone before the app has anything to show.
      await client.#sync.deleteOver();
    }
    client.#isStarted = true;
    client.#sync.start();
    client.#lease?.start();
    return client;
  }

  /** Where this client stands with its relay. */
  get state(): SyncState {
    return this.#sync.state;
  }

  /** Messages that are safe on this device and not yet seen in the group's log. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** The number of the newest epoch, or 0 before the first. */
  get epoch(): number {
    return this.#epochs.current?.epoch ?? 0;
  }

  /** How many entries of the membership log this device has verified. */
  get directorySize(): number {
    return this.#directory.size;
  }

  /**
   * The newest checkpoint of the membership log that the relay has signed and this device has found true: the signed
   * note, fit to be shown to others and compared. `null` before the first, and where the policy names no relay's key.
   */
  get checkpoint(): { readonly size: number; readonly note: Uint8Array } | null {
    const newest = this.#directory.checkpoint;
    return newest === null ? null : { size: newest.size, note: newest.note.slice() };
  }

  /**
   * Which admins have lately cosigned the membership log that this device holds, and whether they are as many as the
   * policy demands. Until they are, no epoch starts here and nobody is let in; what takes rights away goes on.
   */
  get witnesses(): Witnesses {
    return this.#sync.witnessing.witnesses;
  }

  /**
   * The collections that are declared to stay for longer than the organisation's policy allows: they stay for as long
   * as it allows. A warning for who makes the app. The same array until the membership log grows.
   */
  get shortened(): readonly ShortenedRetention[] {
    return this.#changes.kept('shortened', () =>
      this.#directory.size === 0 ? [] : shortenedBy(this.#options.definition, this.policy),
    );
  }

  /** How many frames of live values and heartbeats were refused since the start, by code (docs/spec/errors.md). */
  get liveRefusals(): ReadonlyMap<string, number> {
    return this.#live.refusals;
  }

  /**
   * When another device was heard last, by this device's clock, `null` if not since the start. In a group with others
   * who are connected, more than fifteen minutes of silence may mean that this device is cut off.
   */
  get heardMs(): number | null {
    return this.#heartbeats.heardMs;
  }

  /** Everything that cannot be read, in the order it was found: the same array until it has changed. */
  get unreadable(): readonly Unreadable[] {
    return this.#changes.kept('unreadable', () => {
      this.#unreadable = unlessSame(this.#unreadable, this.#arrivals.unreadable);
      return this.#unreadable;
    });
  }

  /** Every authentic message that breaks the application's rules: it has changed nothing. In the order it was found. */
  get rejected(): readonly Rejected[] {
    return this.#arrivals.rejected;
  }

  /** Every sender's messages that the relay has not given to this device, in the order it was found. */
  get missing(): readonly Missing[] {
    return this.#arrivals.missing;
  }

  /** Proof that the relay showed members different logs of the group, or `null`. */
  get divergence(): Divergence | null {
    return this.#arrivals.divergence;
  }

  /**
   * Calls `listener` at each event from now on; the returned function ends it. The first listener to `missing`
   * is called at once for what was found before, as while the client was opened.
   */
  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Calls `listener` when `state`, `members()`, `unreadable` or `shortened` may be different, at most once for what arrived
   * together; the returned function ends it. Collections have their own.
   */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /**
   * Resolves once this device has caught up with the relay.
   * @throws ClientError why sync stopped, or `closed`
   */
  online(): Promise<void> {
    return this.#sync.until(() => this.state.kind === 'online');
  }

  /**
   * Resolves once everything written so far has come back in the group's log.
   * @throws ClientError why sync stopped, or `closed`
   */
  settled(): Promise<void> {
    return this.#sync.until(() => this.#outbox.size === 0);
  }

  /** The organisation's current members, by this device's verified log: the same array until it has changed. */
  members(): readonly MemberView[] {
    const isChanged = (member: MemberId): boolean => this.#identities.isChanged(member);
    return this.#changes.kept('members', () => membersIn(this.#directory.state, this.member, isChanged));
  }

  /**
   * Takes note of a member's devices, once the person has made sure of them: `changed` is false until they change
   * again. Give the view that was shown: what changed after it is not acknowledged. Durable when it resolves.
   */
  async acknowledge({ id, asOf }: Pick<MemberView, 'id' | 'asOf'>): Promise<void> {
    await this.#identities.acknowledge(id, Math.min(asOf, this.#directory.size));
    this.#changes.changed('members');
    this.#tell();
    this.access.wake();
  }

  /**
   * For an app that goes to the background: ends the connection and begins no other. What is written is kept, and
   * goes out after `resume`.
   */
  pause(): void {
    this.#sync.pause();
  }

  /**
   * For an app that comes to the foreground, or learns that there is a network again: connects at once instead of at
   * the next attempt, finds out whether an open connection is still alive, and does what time has made due.
   */
  resume(): void {
    this.#sync.resume();
  }

  /** Finishes what is under way, keeps what is not sent, and lets go of the store. Again, it does nothing more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#sync.stop();
    await this.#ending;
    for (const collection of this.#byName.values()) collection.end();
    await this.#options.store.close();
  }

  protected get membershipLog(): MembershipLog {
    return {
      ports: this.#options.ports,
      self: this.#self,
      api: this.#api,
      directory: this.#directory,
      witnessing: {
        demand: (waits) => this.#sync.witnessing.demand(waits),
        tick: () => this.#sync.witnessing.tick(),
      },
      pullDirectory: () => this.#sync.pullDirectory(),
      remember: (wire) => this.#signed.remember(wire),
    };
  }

  #tell(): void {
    this.#removals.wake();
    this.#changes.tell();
    for (const collection of this.#byName.values()) collection.tell?.();
  }

  /** @throws ClientError `not-a-member` */
  get #author(): Pick<Origin, 'member' | 'role' | 'device'> {
    const member = this.#directory.state.members.get(this.member);
    if (member === undefined) throw new ClientError('not-a-member', 'this device is not in the organisation');
    return { member: member.id, role: member.role, device: this.device };
  }

  #afterGrowth(): void {
    const order = wipeOrderIn(this.#directory, this.device);
    if (order !== null) this.#ending ??= this.#obey(order);
    if (this.#sync.ended !== null) return;
    this.#lookForAlarms();
    this.#changes.changed('members', 'shortened');
    for (const collection of this.#byName.values()) collection.look?.();
    if (this.#isStarted) this.access.wake();
    this.#lease?.look();
  }

  /** Nothing is waited for before the store is destroyed, and nothing but a clean end keeps the receipt from going out. */
  async #obey(order: WipeOrder): Promise<void> {
    const { ports, store } = this.#options;
    const tools = {
      ports,
      api: this.#api,
      store,
      org: this.org,
      device: this.device,
      signer: this.#self.signer,
    };
    let receipt: Uint8Array | null = null;
    await this.#sync.end('wiped', wiped(), async () => {
      this.#empty();
      receipt = await carryOut(tools, order);
    });
    if (receipt !== null) await handIn(tools, receipt, this.#closing.signal);
  }

  /** The way back is to open the store again, which asks the relay. */
  async #lock(): Promise<void> {
    await this.#sync.end('locked', locked(), async () => {
      this.#empty();
      await this.#options.store.close();
    });
  }

  /** What is shown and what it is read with leaves the memory. */
  #empty(): void {
    this.#epochs.dispose();
    for (const collection of this.#byName.values()) {
      collection.forget?.(Number.MAX_SAFE_INTEGER);
      collection.end();
    }
  }

  #lookForAlarms(): void {
    this.#identities.look({
      onIdentity: (change) => this.#events.emit('identity', change),
      onOwnDevice: (own) => this.#events.emit('own-device', own),
    });
    const noted = this.#identities.notedUpTo(this.member);
    for (const index of this.#signed.news()) if (index >= noted) this.#events.emit('stolen-key', { index });
  }

  async #loadStored(): Promise<void> {
    try {
      await this.#sync.loadStored();
    } catch (error) {
      // What needs the relay is decided once it is there; a contradiction is found again, and may be solved by then.
      if (!(error instanceof ClientError) || error.code === 'store-damaged') throw error;
    }
  }
}
