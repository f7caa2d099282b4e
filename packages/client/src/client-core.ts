import type { DeviceId } from '@keytide/crypto-core';
import { everyoneGroup } from '@keytide/key-directory';
import { accessApi } from './access-api.ts';
import { Access } from './access.ts';
import type { MembershipLog } from './append-entry.ts';
import { Arrivals } from './arrivals.ts';
import { Attachments } from './attachments.ts';
import { Changes } from './changes.ts';
import { ClientEnd } from './client-end.ts';
import { KEPT_EVENTS, type ClientEvents } from './client-events.ts';
import type { ClientOptions } from './client-options.ts';
import type { ClientParts } from './client-parts.ts';
import { CollectionWindows } from './collection-windows.ts';
import { makeCollections, type AnyCollection, type Declarations, type Submit } from './collection.ts';
import { Direct } from './direct.ts';
import { DueSoon } from './due-soon.ts';
import { Emitter } from './emitter.ts';
import { EpochRing } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import { GroupReplica } from './group-replica.ts';
import { Heartbeats } from './heartbeats.ts';
import { HybridClock } from './hybrid-clock.ts';
import type { Identity } from './identity.ts';
import { messageJudge, type Judge } from './judge-message.ts';
import { Live, type LiveConnection } from './live.ts';
import { channelOf, encodeOperation } from './operation.ts';
import type { Origin } from './origin.ts';
import type { DeviceStore } from './ports.ts';
import { RelayData } from './relay-data.ts';
import { mayExport, readDue } from './release.ts';
import { Removals } from './removals.ts';
import { Retention } from './retention.ts';
import { Sync } from './sync.ts';
import { isAdmin } from './trusted-time.ts';
import { UnlockLease } from './unlock-lease.ts';

/** What a client is made of, joined together: who tells whom, and how it begins and ends. */
export class ClientCore {
  readonly identity: Identity;
  readonly device: DeviceId;
  readonly parts: ClientParts;
  /** The membership log, and what it takes to write to it. */
  readonly log: MembershipLog;
  readonly collections: ReadonlyMap<string, AnyCollection>;
  readonly access: Access;
  readonly attachments: Attachments;
  readonly direct: Direct;
  readonly epochs: EpochRing;
  readonly store: DeviceStore;
  readonly replica: GroupReplica;
  readonly judge: Judge;
  readonly arrivals: Arrivals;
  readonly live: Live;
  readonly heartbeats: Heartbeats;
  readonly sync: Sync;
  readonly end: ClientEnd;
  readonly events: Emitter<ClientEvents> = new Emitter<ClientEvents>(KEPT_EVENTS);
  /** Of what the client shows besides its collections. */
  readonly changes: Changes = new Changes();
  /** How often the relay has lost entries that this device had. */
  lostTimes = 0;
  readonly #retention: Retention;
  readonly #removals: Removals;
  /** What the relay is about to forget. */
  readonly dueSoon: DueSoon;
  readonly #lease: UnlockLease | null;
  #isStarted = false;

  constructor(options: ClientOptions<Declarations>, identity: Identity, parts: ClientParts) {
    const { ports } = options;
    this.identity = identity;
    this.device = parts.self.device;
    this.store = options.store;
    this.parts = parts;
    this.log = {
      ...parts,
      ports,
      witnessing: {
        demand: (waits) => this.sync.witnessing.demand(waits),
        tick: () => this.sync.witnessing.tick(),
      },
      pullDirectory: () => this.sync.pullDirectory(),
      remember: (wire) => parts.signed.remember(wire),
    };
    parts.directory.onGrown = () => {
      this.#retention.sawLog();
      this.#afterGrowth();
    };
    const group = everyoneGroup(ports.primitives, identity.org);
    this.epochs = new EpochRing({
      primitives: ports.primitives,
      group,
      directory: parts.directory,
      self: parts.self,
      keys: parts.epochKeys,
      source: {
        canAsk: () => this.#isStarted,
        box: (epoch) => parts.api.box(group, epoch),
        pullDirectory: () => parts.directory.pull(parts.api, this.sync.signal),
      },
      windowStartMs: () => this.#retention.startMs,
    });
    const clock = new HybridClock();
    const submit: Submit = (operations) =>
      this.sync
        .send(
          operations.map((operation) => ({
            channel: channelOf(ports.primitives, operation.collection, operation.item),
            payload: encodeOperation({
              ...operation,
              time: clock.next(ports.clock.now(), this.epochs.endMs),
            }),
          })),
        )
        .then(() => this.tell());
    const assertOpen = (): void => this.sync.assertNotOver();
    this.attachments = new Attachments({
      ports,
      assertOpen,
      api: parts.api,
      keyStore: options.store.keys,
      retentionMs: () => parts.directory.state.policy.retentionSeconds * 1000,
    });
    const relayData = new RelayData(parts.api, {
      assertOpen,
      onRefused: (refused) => this.events.emit('refused-document', refused),
    });
    const replica = new GroupReplica(ports.primitives, group, this.epochs);
    this.replica = replica;
    const sync = (): Sync => this.sync;
    const connection: LiveConnection & Pick<Sync, 'judge'> = {
      get online() {
        return sync().online;
      },
      keys: () => sync().keys(),
      judge: (socket, job) => sync().judge(socket, job),
    };
    const shared = { ...parts, ports, group, epochs: this.epochs, connection };
    this.live = new Live({
      ...shared,
      collections: () => this.collections,
      onHeartbeat: (...heartbeat) => this.heartbeats.take(...heartbeat),
    });
    this.direct = new Direct({
      ...shared,
      org: identity.org,
      member: identity.member,
      keyStore: options.store.keys,
      sessions: options.sessions ?? null,
      isOnline: () => sync().online !== null,
      assertOpen,
      pullDirectory: () => sync().pullDirectory(),
      pullSealingRecords: () => sync().pullSealingRecords(),
    });
    this.heartbeats = new Heartbeats({
      ...shared,
      replica,
      live: this.live,
      onFinding: (finding) => this.arrivals.report(finding),
    });
    this.collections = makeCollections(options.definition, {
      submit,
      random: ports.random,
      author: () => this.#author,
      relayData,
      live: this.live,
    });
    const windows = new CollectionWindows({
      definition: options.definition,
      epochs: this.epochs,
      now: () => parts.time.now(),
      isAdmin: () => isAdmin(this.parts.directory.state, this.identity.member),
    });
    const isExpired = (epoch: number): boolean => this.epochs.isExpired(epoch);
    const { collections } = this;
    const { primitives } = ports;
    this.judge = messageJudge({ ...parts, primitives, collections, windows, isExpired });
    this.arrivals = new Arrivals({
      device: this.device,
      judge: this.judge,
      collections,
      clock,
      events: this.events,
      windows,
      isExpired,
    });
    this.dueSoon = new DueSoon({
      mayAsk: () => mayExport(parts.directory, identity.member),
      read: () => readDue({ ...parts, ports, group }),
      onChanged: () => {
        this.changes.changed('due-soon');
        this.changes.tell();
      },
    });
    const { lease: place } = options.store;
    const { org, relayUrl } = identity;
    const onOver = (): void => this.end.lock();
    this.#lease =
      place === undefined
        ? null
        : new UnlockLease({
            ...{ ...parts, ports, org, relayUrl, place, onOver },
            onAttempts: (wrong) => this.events.emit('unlock-attempts', { wrong }),
          });
    this.events.on('unreadable', () => this.changes.changed('unreadable'));
    this.access = new Access({
      ports,
      log: this.log,
      group,
      api: accessApi(parts.api),
      requests: parts.requests,
      decisions: parts.decisions,
      epochs: this.epochs,
      now: () => parts.time.now(),
      isChanged: (member) => parts.identities.isChanged(member),
      isOnline: () => sync().online !== null,
      reread: () => this.sync.reread(),
      sync,
      tell: (event) => this.events.emit('access', event),
    });
    this.end = new ClientEnd({
      ...parts,
      ports,
      store: options.store,
      org,
      device: this.device,
      signer: parts.self.signer,
      epochs: this.epochs,
      arrivals: this.arrivals,
      collections: () => this.collections.values(),
      sync,
    });
    this.#retention = new Retention({
      ...parts,
      ports,
      device: this.device,
      member: identity.member,
      epochs: this.epochs,
      replica,
      forget: (throughEpoch) => {
        this.arrivals.forget(throughEpoch);
        this.tell();
      },
      forgetShort: () => {
        this.arrivals.forgetShort();
        this.tell();
      },
      shortDueMs: () => windows.dueMs,
      onUnsent: (count) => this.events.emit('unsent', { count }),
      onBack: () => void this.sync.takeBack(),
      onFailure: (error) => this.sync.deletionFailed(error),
    });
    this.#removals = new Removals({
      ports,
      collections: () => this.collections.values(),
      isOnline: () => sync().online !== null,
      hasOldRoles: () => this.epochs.hasOldRoles,
    });
    this.sync = new Sync({
      ...parts,
      ports,
      keyStore: options.store.keys,
      group,
      epochs: this.epochs,
      replica,
      retention: this.#retention,
      onOutcome: (outcome) => {
        this.arrivals.take(outcome);
        if (outcome.kind === 'message') this.heartbeats.saw(outcome.message.sender);
        if (outcome.kind === 'epoch' && this.#isStarted) this.access.heardOfEpoch();
        this.changes.changed('unreadable');
      },
      onState: (state) => {
        this.changes.changed('state', 'clock');
        this.events.emit('state', state);
      },
      onChanged: () => this.tell(),
      onWaiting: (payload, epoch) => this.arrivals.wait(payload, epoch),
      onLost: (lost) => {
        this.lostTimes += 1;
        this.arrivals.rewind(lost.seq - 1);
        this.changes.changed('unreadable');
        this.events.emit('lost', lost);
      },
      onTimeline: () => relayData.startOver(),
      onWitnesses: (witnesses) => this.events.emit('witnesses', witnesses),
      onEphemeral: (frame, socket) => this.live.receive(frame, socket),
      parts: [
        relayData,
        this.attachments,
        this.live,
        this.heartbeats,
        this.access,
        this.direct,
        this.dueSoon,
        this.#removals,
        ...(this.#lease === null ? [] : [this.#lease]),
      ],
    });
  }

  /** Shows what the store holds, without the network, and starts to connect. @throws ClientError `store-damaged` */
  async start(): Promise<void> {
    if (this.parts.directory.size > 0) {
      this.#retention.sawLog();
      this.#lookForAlarms();
      await this.#loadStored();
      // What is over is gone before the app has anything to show.
      await this.sync.deleteOver();
    }
    this.#isStarted = true;
    this.sync.start();
    this.#lease?.start();
  }

  /** Tells whoever subscribed to the client or to a collection, where anything has changed since. */
  tell(): void {
    this.#removals.wake();
    this.changes.tell();
    for (const collection of this.collections.values()) collection.tell?.();
  }

  /** @throws ClientError `not-a-member` */
  get #author(): Pick<Origin, 'member' | 'role' | 'device'> {
    const member = this.parts.directory.state.members.get(this.identity.member);
    if (member === undefined) throw new ClientError('not-a-member', 'this device is not in the organisation');
    return { member: member.id, role: member.role, device: this.device };
  }

  #afterGrowth(): void {
    this.end.look();
    if (this.sync.ended !== null) return;
    this.#lookForAlarms();
    this.changes.changed('members', 'shortened', 'clock');
    for (const collection of this.collections.values()) collection.look?.();
    if (this.#isStarted) this.access.wake();
    if (this.#isStarted) this.dueSoon.look();
    this.#lease?.look();
  }

  #lookForAlarms(): void {
    this.parts.identities.look({
      onIdentity: (change) => this.events.emit('identity', change),
      onOwnDevice: (own) => this.events.emit('own-device', own),
    });
    const noted = this.parts.identities.notedUpTo(this.identity.member);
    for (const index of this.parts.signed.news())
      if (index >= noted) this.events.emit('stolen-key', { index });
  }

  async #loadStored(): Promise<void> {
    try {
      await this.sync.loadStored();
    } catch (error) {
      // What needs the relay is decided once it is there; a contradiction is found again, and may be solved by then.
      if (!(error instanceof ClientError) || error.code === 'store-damaged') throw error;
    }
  }
}
