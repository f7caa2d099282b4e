import { deviceIdOf, type DeviceId, type MemberId, type OrgId, type Primitives } from '@keytide/crypto-core';
import {
  checkpointOf,
  createInvite,
  createRemoveMember,
  everyoneGroup,
  formatInviteLink,
  type DirectoryState,
  type Role,
} from '@keytide/key-directory';
import type { Collections } from './collection.ts';
import type { Declarations } from './declare.ts';
import { DirectoryReplica } from './directory-replica.ts';
import { Emitter } from './emitter.ts';
import { EpochRing, type Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import {
  GroupReplica,
  type Divergence,
  type Missing,
  type Outcome,
  type UnreadableCode,
} from './group-replica.ts';
import { laterOf, tick, type HybridTime } from './hybrid-clock.ts';
import type { Identity } from './identity.ts';
import { LogCollection, type Submit } from './log-collection.ts';
import { channelOf, encodeOperation, parseOperation, type Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import { Outbox } from './outbox.ts';
import type { DeviceStore, Ports } from './ports.ts';
import { RecordCollection } from './record-collection.ts';
import { RelayApi } from './relay-api.ts';
import { Sync, type SyncState } from './sync.ts';

/** A person in the organisation, with the devices that are active now. */
export interface MemberView {
  readonly id: MemberId;
  /** The name this person chose; the relay sees it. */
  readonly handle: string;
  readonly role: Role;
  readonly devices: readonly DeviceId[];
  /** Whether this is the member whose device this is. */
  readonly self: boolean;
}

/** An entry of the group's log that shows nothing, and why. */
export interface Unreadable {
  readonly seq: number;
  readonly code: UnreadableCode;
}

/** What a client tells its listeners. */
export type ClientEvents = {
  readonly state: SyncState;
  /** An entry that shows nothing. A `tampered` one can still come as a message, when its sender vouches for it. */
  readonly unreadable: Unreadable;
  /** A sender's messages that the relay has not given to this device. */
  readonly missing: Missing;
  /** Proof that the relay shows members different logs of the group. Told once a device. */
  readonly divergence: Divergence;
};

/** What `openClient` needs. */
export interface ClientOptions<D extends Declarations> {
  readonly definition: D;
  readonly store: DeviceStore;
  readonly ports: Ports;
}

/** One device of one organisation: typed collections, kept in step with the relay. */
export class Client<D extends Declarations> {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly member: MemberId;
  readonly relayUrl: string;
  readonly collections: Collections<D>;
  readonly #options: ClientOptions<D>;
  readonly #self: Self;
  readonly #api: RelayApi;
  readonly #directory: DirectoryReplica;
  readonly #sync: Sync;
  readonly #outbox: Outbox;
  readonly #epochs: EpochRing;
  readonly #events = new Emitter<ClientEvents>();
  readonly #unreadable = new Map<number, Unreadable>();
  #divergence: Divergence | null = null;
  readonly #diverged = new Set<DeviceId>();
  #time: HybridTime = { ms: 0, counter: 0 };

  private constructor(options: ClientOptions<D>, identity: Identity, parts: ClientParts) {
    const { ports } = options;
    this.#options = options;
    this.org = identity.org;
    this.member = identity.member;
    this.relayUrl = identity.relayUrl;
    this.#self = parts.self;
    this.device = parts.self.device;
    this.#api = parts.api;
    this.#directory = parts.directory;
    this.#outbox = parts.outbox;
    const group = everyoneGroup(ports.primitives, identity.org);
    this.#epochs = new EpochRing({
      primitives: ports.primitives,
      group,
      directory: parts.directory,
      self: parts.self,
      keyStore: options.store.keys,
      source: {
        box: (epoch) => parts.api.box(group, epoch),
        pullDirectory: () => parts.directory.pull((from) => parts.api.readLog(from)),
      },
    });
    this.#sync = new Sync({
      ...parts,
      ports,
      group,
      epochs: this.#epochs,
      replica: new GroupReplica(ports.primitives, group, this.#epochs),
      onOutcome: (outcome) => this.#take(outcome),
      onState: (state) => this.#events.emit('state', state),
    });
    this.collections = this.#makeCollections();
  }

  /** Opens what the store holds, without the network. Use `createOrganisation`, `join` or `connect`. */
  static async open<D extends Declarations>(
    options: ClientOptions<D>,
    identity: Identity,
  ): Promise<Client<D>> {
    const { ports, store } = options;
    const self = selfOf(ports.primitives, identity);
    const directory = await DirectoryReplica.open({
      primitives: ports.primitives,
      journal: await store.journal('membership'),
      keyStore: store.keys,
      org: identity.org,
    });
    const login = { subject: { kind: 'device', id: self.device }, signer: self.signer } as const;
    const client = new Client(options, identity, {
      self,
      directory,
      api: new RelayApi(ports, identity.relayUrl, identity.org, login),
      journal: await store.journal('group'),
      outbox: await Outbox.open(await store.journal('outbox')),
    });
    if (directory.size > 0) await client.#loadStored();
    client.#sync.start();
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

  /** Everything that cannot be read, in the order it was found. */
  get unreadable(): readonly Unreadable[] {
    return [...this.#unreadable.values()];
  }

  /** Proof that the relay showed members different logs of the group, or `null`. */
  get divergence(): Divergence | null {
    return this.#divergence;
  }

  /** Calls `listener` at each event from now on; the returned function ends it. */
  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener);
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

  /** The organisation's current members, by this device's verified log. */
  members(): readonly MemberView[] {
    const { members, devices } = this.#directory.state;
    return [...members.values()]
      .filter((member) => member.removedAt === null)
      .map((member) => ({
        id: member.id,
        handle: member.handle,
        role: member.role,
        devices: [...devices.values()]
          .filter((device) => device.member === member.id && device.revokedAt === null)
          .map((device) => device.id),
        self: member.id === this.member,
      }));
  }

  /**
   * Makes an invite for one person: a link whose fragment holds a one-time key. Whoever has it can join once.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`; DirectoryError `not-permitted` for non-admins
   */
  async invite(options: { role?: Role; validForMs?: number } = {}): Promise<string> {
    const { primitives, random, clock } = this.#options.ports;
    const { role = 'member', validForMs = DEFAULT_INVITE_MS } = options;
    const { seed } = await this.#appendEntry((state) =>
      createInvite({
        primitives,
        random,
        state,
        signer: this.#self.signer,
        role,
        nowMs: clock.now(),
        expiresMs: Math.max(clock.now(), state.timeMs) + validForMs,
      }),
    );
    const checkpoint = checkpointOf(this.#directory.state);
    return formatInviteLink({ relayUrl: this.relayUrl, org: this.org, checkpoint, seed });
  }

  /**
   * Removes a member and all their devices, for good. Works also on a device that a false claim of this member
   * has stopped; open it anew afterwards.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`; DirectoryError `not-permitted` for
   *   non-admins, `unknown-member`, `last-admin`
   */
  async removeMember(member: MemberId): Promise<void> {
    const { primitives, clock } = this.#options.ports;
    await this.#appendEntry((state) => ({
      wire: createRemoveMember({ primitives, state, signer: this.#self.signer, nowMs: clock.now(), member }),
    }));
  }

  /** Finishes what is under way, keeps what is not sent, and lets go of the store. */
  async close(): Promise<void> {
    await this.#sync.stop();
    for (const collection of this.#eachCollection()) collection.end();
    await this.#options.store.close();
  }

  /** Adds an entry to the membership log; when others were first, builds it again on the new head. */
  async #appendEntry<T extends { readonly wire: Uint8Array }>(
    build: (state: DirectoryState) => T,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      await this.#sync.pullDirectory();
      const built = build(this.#directory.state);
      try {
        await this.#api.appendLog(built.wire);
        await this.#sync.pullDirectory();
        if (this.#directory.has(built.wire)) return built;
        throw new ClientError('relay-misbehaved', 'the relay took the entry and does not show it in the log');
      } catch (error) {
        const lost = error instanceof ClientError && error.relayCode === 'head-moved';
        if (!lost || attempt === APPEND_ATTEMPTS) throw error;
      }
    }
  }

  async #loadStored(): Promise<void> {
    try {
      await this.#sync.loadStored();
    } catch (error) {
      // What needs the relay is decided once it is there; a contradiction is found again, and may be solved by then.
      if (!(error instanceof ClientError) || error.code === 'store-damaged') throw error;
    }
  }

  #take(outcome: Outcome): void {
    // A message that was refused can come again, once its sender has vouched for it.
    this.#unreadable.delete(outcome.seq);
    if (outcome.kind === 'unreadable') return this.#addUnreadable(outcome.seq, outcome.code);
    for (const missing of outcome.missing) this.#events.emit('missing', missing);
    if (outcome.divergence !== null) this.#reportDivergence(outcome.divergence);
    if (outcome.kind === 'epoch') return;
    const { message, seq, endMs } = outcome;
    const operation = parseOperation(message.payload, endMs);
    if (operation === null || !this.#accept(operation, message.sender, message.channel, seq)) {
      this.#addUnreadable(seq, 'invalid');
    }
  }

  /** Once for each device: after its first contradiction every later claim of it contradicts too. */
  #reportDivergence(divergence: Divergence): void {
    if (this.#diverged.has(divergence.device)) return;
    this.#diverged.add(divergence.device);
    this.#divergence ??= divergence;
    this.#events.emit('divergence', divergence);
  }

  #accept(operation: Operation, sender: DeviceId, channel: Uint8Array, seq: number): boolean {
    const { primitives } = this.#options.ports;
    const expected = channelOf(primitives, operation.collection, operation.item);
    if (!expected.every((byte, i) => channel[i] === byte)) return false;
    const collection = Object.hasOwn(this.collections, operation.collection)
      ? (this.collections[operation.collection] as LogCollection<never> | RecordCollection<never>)
      : null;
    if (collection === null) return false;
    const isAccepted = collection.accept(operation, this.#origin(sender, seq, operation.time.ms));
    if (isAccepted) this.#time = laterOf(this.#time, operation.time);
    return isAccepted;
  }

  #origin(device: DeviceId, seq: number, timeMs: number): Origin {
    const { devices, members } = this.#directory.state;
    const member = members.get(devices.get(device)?.member as MemberId);
    return { seq, device, member: member?.id ?? '', handle: member?.handle ?? '', timeMs };
  }

  #addUnreadable(seq: number, code: UnreadableCode): void {
    const unreadable = { seq, code };
    this.#unreadable.set(seq, unreadable);
    this.#events.emit('unreadable', unreadable);
  }

  #makeCollections(): Collections<D> {
    const { ports, definition } = this.#options;
    const submit: Submit = (operations) =>
      this.#sync.send(
        operations.map((operation) => {
          this.#time = tick(this.#time, ports.clock.now());
          return {
            channel: channelOf(ports.primitives, operation.collection, operation.item),
            payload: encodeOperation({ ...operation, time: this.#time }),
          };
        }),
      );
    return Object.fromEntries(
      Object.entries(definition).map(([name, declaration]) => [
        name,
        declaration.kind === 'log'
          ? new LogCollection(name, declaration, submit)
          : new RecordCollection(name, declaration, submit, ports.random),
      ]),
    ) as Collections<D>;
  }

  #eachCollection(): (LogCollection<never> | RecordCollection<never>)[] {
    return Object.values(this.collections);
  }
}

interface ClientParts {
  readonly self: Self;
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  readonly journal: Awaited<ReturnType<DeviceStore['journal']>>;
  readonly outbox: Outbox;
}

const DEFAULT_INVITE_MS = 24 * 60 * 60 * 1000;
const APPEND_ATTEMPTS = 5;

function selfOf(primitives: Primitives, identity: Identity): Self {
  const signer = identity.signingSeed.use((seed) => primitives.signer(seed));
  const decapsulator = identity.sealingSeed.use((seed) => primitives.decapsulator(seed));
  return { device: deviceIdOf(primitives, signer.publicKey), signer, decapsulator };
}
