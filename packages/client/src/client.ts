import { deviceIdOf, type DeviceId, type MemberId, type OrgId, type Primitives } from '@keytide/crypto-core';
import {
  checkpointOf,
  createInvite,
  createRemoveMember,
  everyoneGroup,
  formatInviteLink,
  type Role,
} from '@keytide/key-directory';
import { appendEntry, type MembershipLog } from './append-entry.ts';
import { Arrivals } from './arrivals.ts';
import type { ClientEvents, Unreadable } from './client-events.ts';
import { makeCollections, type AnyCollection, type Collections } from './collection.ts';
import type { SyncState } from './connection.ts';
import type { Declarations } from './declare.ts';
import { DirectoryReplica } from './directory-replica.ts';
import { Emitter } from './emitter.ts';
import { EpochRing, type Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import { GroupReplica, type Divergence, type Missing } from './group-replica.ts';
import { HybridClock } from './hybrid-clock.ts';
import type { Identity } from './identity.ts';
import type { Submit } from './log-collection.ts';
import { channelOf, encodeOperation } from './operation.ts';
import { Outbox } from './outbox.ts';
import type { DeviceStore, Ports } from './ports.ts';
import { RelayApi } from './relay-api.ts';
import { Sync } from './sync.ts';

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
  readonly #events = new Emitter<ClientEvents>(['missing']);
  readonly #byName: ReadonlyMap<string, AnyCollection>;
  readonly #arrivals: Arrivals;

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
    const clock = new HybridClock();
    const submit: Submit = (operations) =>
      this.#sync.send(
        operations.map((operation) => ({
          channel: channelOf(ports.primitives, operation.collection, operation.item),
          payload: encodeOperation({ ...operation, time: clock.next(ports.clock.now()) }),
        })),
      );
    this.#byName = makeCollections(options.definition, submit, ports.random);
    this.collections = Object.fromEntries(this.#byName) as unknown as Collections<D>;
    this.#arrivals = new Arrivals({
      primitives: ports.primitives,
      directory: parts.directory,
      collections: this.#byName,
      clock,
      events: this.#events,
    });
    this.#sync = new Sync({
      ...parts,
      ports,
      group,
      epochs: this.#epochs,
      replica: new GroupReplica(ports.primitives, group, this.#epochs),
      onOutcome: (outcome) => this.#arrivals.take(outcome),
      onState: (state) => this.#events.emit('state', state),
    });
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
    return this.#arrivals.unreadable;
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
    const { seed } = await appendEntry(this.#membershipLog, (state) =>
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
   * has stopped; open it anew afterwards. An admin can remove themselves while another one stays.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`; DirectoryError `not-permitted` for
   *   non-admins, `unknown-member`, `last-admin`
   */
  async removeMember(member: MemberId): Promise<void> {
    const { primitives, clock } = this.#options.ports;
    await appendEntry(this.#membershipLog, (state) => ({
      wire: createRemoveMember({ primitives, state, signer: this.#self.signer, nowMs: clock.now(), member }),
      endsOwnAccess: member === this.member,
    }));
  }

  /** Finishes what is under way, keeps what is not sent, and lets go of the store. */
  async close(): Promise<void> {
    await this.#sync.stop();
    for (const collection of this.#byName.values()) collection.end();
    await this.#options.store.close();
  }

  get #membershipLog(): MembershipLog {
    const pullDirectory = (): Promise<void> => this.#sync.pullDirectory();
    return { api: this.#api, directory: this.#directory, pullDirectory };
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

interface ClientParts {
  readonly self: Self;
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  readonly journal: Awaited<ReturnType<DeviceStore['journal']>>;
  readonly outbox: Outbox;
}

const DEFAULT_INVITE_MS = 24 * 60 * 60 * 1000;

function selfOf(primitives: Primitives, identity: Identity): Self {
  const signer = identity.signingSeed.use((seed) => primitives.signer(seed));
  const decapsulator = identity.sealingSeed.use((seed) => primitives.decapsulator(seed));
  return { device: deviceIdOf(primitives, signer.publicKey), signer, decapsulator };
}
