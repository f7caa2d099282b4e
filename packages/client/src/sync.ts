import type { EpochKeys, GroupId, KeyStore } from '@keytide/crypto-core';
import { Connection, type SyncState } from './connection.ts';
import type { Cosigner } from './cosigner.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Draft } from './draft.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { EpochRotation } from './epoch-rotation.ts';
import { ClientError } from './errors.ts';
import { reasonOf } from './failure.ts';
import type { GroupReplica, Outcome } from './group-replica.ts';
import { Incoming } from './incoming.ts';
import type { Journal } from './journal.ts';
import { dialSocket, type Dial } from './line.ts';
import { chooseLine } from './line-choice.ts';
import type { Outbox } from './outbox.ts';
import type { OwnHead } from './own-head.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Part } from './part.ts';
import { dialPolled } from './polled-line.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { RelaySocket } from './relay-socket.ts';
import { renewSession } from './renew-session.ts';
import type { Retention } from './retention.ts';
import type { Lost } from './rewind.ts';
import type { SealingRecords } from './sealing-records.ts';
import { SealingRotation } from './sealing-rotation.ts';
import { Sender } from './sender.ts';
import { Serial } from './serial.ts';
import { TimelineKeeper } from './timeline.ts';
import type { TrustedTime } from './trusted-time.ts';
import type { Witnesses } from './witness-demand.ts';
import type { Unsealed } from './unsealed.ts';
import type { WitnessLedger } from './witness-ledger.ts';
import { Witnessing } from './witnessing.ts';

interface SyncOptions {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly keyStore: KeyStore;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly sealing: OwnSealingKeys;
  readonly sealingRecords: SealingRecords;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly ownHead: OwnHead;
  readonly unsealed: Unsealed;
  readonly time: TrustedTime;
  readonly retention: Retention;
  readonly ledger: WitnessLedger;
  readonly cosigner: Cosigner;
  onOutcome(outcome: Outcome): void;
  onState(state: SyncState): void;
  /** Something happened, and what is shown may be different. */
  onChanged(): void;
  onWitnesses(witnesses: Witnesses): void;
  /** What was said here, under this epoch, waits for the log to show it. */
  onWaiting(payload: Uint8Array, epoch: number): void;
  /** A device says something only to those who are connected. */
  onEphemeral(frame: Uint8Array, socket: RelaySocket): void;
  /** The relay has lost entries that this device had. */
  onLost(lost: Lost): void;
  /** The relay has another past than before: what was read from it is to be read again. */
  onTimeline(): void;
  /** Beside the logs: who is woken when this device has caught up, or at the relay's hint. */
  readonly parts: readonly Part[];
}

/**
 * Keeps one group in step with the relay: what arrives goes to the journal, then through the replica; what
 * is written goes to the outbox, then to the relay. Reconnects by itself.
 */
export class Sync {
  /** Who vouches for the membership log. */
  readonly witnessing: Witnessing;
  readonly #options: SyncOptions;
  readonly #dial: Dial;
  readonly #connection: Connection;
  readonly #incoming: Incoming;
  readonly #rotation: EpochRotation;
  readonly #sender: Sender;
  readonly #sealingRotation: SealingRotation;
  /** What is shown is no longer what is known: the log has to be decided anew, now or when the relay is back. */
  #isRereadDue = false;
  readonly #timeline: TimelineKeeper;
  readonly #writing = new Serial();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: SyncOptions) {
    this.#options = options;
    const { ports, api, group } = options;
    const polled = dialPolled({ ports, url: api.url, group });
    this.#dial = chooseLine(ports.clock, dialSocket(ports, api.socketUrl), polled);
    this.#connection = new Connection({
      ports: options.ports,
      open: (signal) => this.#open(signal),
      onOpened: (socket, directorySize) => {
        this.#sender.startOver();
        this.#incoming.subscribe(socket, directorySize);
      },
      onFailure: (reason) => this.#afterFailure(reason),
      onState: options.onState,
      onChanged: options.onChanged,
    });
    const chaining = new Serial();
    const shared = { ...options, connection: this.#connection, writing: this.#writing, chaining };
    this.#timeline = new TimelineKeeper({
      ...options,
      chaining: (job) => chaining.run(job),
      onChanged() {
        options.sealingRecords.startOver();
        options.onTimeline();
      },
    });
    this.#incoming = new Incoming({
      ...shared,
      primitives: options.ports.primitives,
      nowMs: () => options.retention.nowMs,
      onOutcome: (outcome) => this.#take(outcome),
      onProcessed: () => this.#afterProcessing(),
      onCaughtUp: () => {
        void this.#sender.resume();
        void this.#rotation.coverExposure();
        void this.#sealingRotation.tick();
        void this.#fetchBoxes(false);
        this.witnessing.wake();
        for (const part of options.parts) part.wake();
      },
      onHint: (topic) => {
        for (const part of options.parts) if (part.topic === topic) part.wake();
      },
      onDirectory: () => {
        void this.#rotation.coverExposure();
        this.witnessing.wake();
      },
    });
    this.#sealingRotation = new SealingRotation({ ...shared, idle: () => this.#incoming.idle() });
    const pullDirectory = (): Promise<void> => this.pullDirectory();
    this.witnessing = new Witnessing({
      ...shared,
      pullDirectory,
      onWitnesses: (witnesses) => {
        options.onWitnesses(witnesses);
        // What had to wait for witnesses is sent.
        if (witnesses.isMet) void this.#sender.resume();
      },
    });
    const demandWitnesses = (): Promise<void> => this.witnessing.demand();
    const sealingReady = (): Promise<void> => this.#sealingRotation.ready();
    this.#rotation = new EpochRotation({ ...shared, pullDirectory, demandWitnesses, sealingReady });
    this.#sender = new Sender({ ...shared, rotation: this.#rotation });
  }

  get state(): SyncState {
    return this.#connection.state;
  }

  /** The socket of a device that has caught up, or `null`. */
  get online(): RelaySocket | null {
    return this.state.kind === 'online' ? this.#connection.socket : null;
  }

  /** The keys to write under. @throws ClientError as `send` */
  keys(): Promise<EpochKeys> {
    return this.#writing.run(() => this.#rotation.keys());
  }

  /** Judges what came beside the logs, once everything before it is processed; a failure ends the connection. */
  judge(socket: RelaySocket, job: () => Promise<void>): Promise<void> {
    return this.#incoming.judge(socket, job);
  }

  /** Decides everything that the store already holds; without network as far as the stored keys reach. */
  async loadStored(): Promise<void> {
    try {
      await this.#incoming.loadStored();
    } finally {
      this.#sender.tellWaiting();
    }
  }

  /** Deletes what is over, without the network. Rejects with what the store fails with. */
  async deleteOver(): Promise<void> {
    await this.#options.retention.tick();
    await this.#sealingRotation.tick();
  }

  /**
   * Decides the group's log anew after `EpochRing.importKeys`: what has become readable is shown in its place, and
   * nothing twice.
   * @throws ClientError `offline`
   */
  async reread(): Promise<void> {
    try {
      await this.#incoming.reread();
    } finally {
      // The next key to go may be one of those that came.
      this.#options.retention.wake();
    }
  }

  /** What is over could not be deleted: the person is told where there is a connection, and it is tried again. */
  deletionFailed(error: unknown): void {
    const { socket } = this.#connection;
    if (socket !== null) this.#connection.giveUp(socket, error);
  }

  /** Epochs that were over are within the window again: their boxes are asked for, and the log is decided anew. */
  takeBack(): Promise<void> {
    return this.#fetchBoxes(true);
  }

  /** Asks for the sealing keys that others have published. @throws ClientError */
  pullSealingRecords(): Promise<void> {
    const { api, sealingRecords } = this.#options;
    return this.#writing.run(() => sealingRecords.pull((after) => api.readSealingRecords(after)));
  }

  /**
   * Brings this device's copy of the membership log up to date.
   * @throws ClientError `offline`, `relay-forked`, `wiped`, `locked`
   */
  async pullDirectory(): Promise<void> {
    if (this.ended !== null) throw this.ended;
    return this.#incoming.pullDirectory();
  }

  /** Starts to connect, and stays connected until `stop`. */
  start(): void {
    const { retention } = this.#options;
    const { signal } = this.#connection;
    this.#running = Promise.all([this.#sealingRotation.run(), this.witnessing.run(), retention.run(signal)]);
    this.#connection.start();
  }

  /** Ends the socket, and begins no other before `resume`. */
  pause(): void {
    this.#connection.pause();
  }

  /** Connects at once, and does what time has made due while nothing ran here. */
  resume(): void {
    this.#options.retention.wake();
    this.#connection.resume();
    void this.#sealingRotation.tick();
    this.witnessing.wake();
  }

  /** Aborted once this ends. */
  get signal(): AbortSignal {
    return this.#connection.signal;
  }

  /** Ends the connection and finishes what is under way. */
  async stop(): Promise<void> {
    await this.#connection.stop();
    this.witnessing.wake();
    await Promise.all(this.#options.parts.map((part) => part.stop()));
    await this.#running;
    // Then the store is closed, or gone.
    if (this.#connection.ended !== null) return;
    await this.#sealingRotation.tick();
    await this.#options.retention.tick().catch(() => {});
    await this.#writing.run(async () => {});
    await this.#incoming.idle();
    await this.#compactOutbox();
    this.#connection.changed();
  }

  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertNotOver(): void {
    this.#connection.assertNotOver();
  }

  /** Why this client has ended for good by itself, or `null`. */
  get ended(): ClientError | null {
    return this.#connection.ended;
  }

  /** Ends everything at once, for good; once `work` is done, the state says so, or that it failed. Never rejects. */
  async end(kind: 'locked' | 'wiped', reason: ClientError, work: () => Promise<void>): Promise<void> {
    const show = this.#connection.end(reason);
    // Whatever they have under way ends by itself: the store is not theirs any more.
    for (const part of this.#options.parts) void part.stop();
    try {
      await work();
      show({ kind });
    } catch (error) {
      show({ kind: 'stopped', error: reasonOf(error) });
    }
  }

  /** Resolves when `condition` holds; checked after everything that happens here. @throws ClientError when stopped */
  until(condition: () => boolean): Promise<void> {
    return this.#connection.until(condition);
  }

  /**
   * Seals drafts and makes them durable in the outbox, in order.
   * @throws ClientError `not-ready`, `closed`, or the reason why sync stopped
   */
  send(drafts: readonly Draft[]): Promise<void> {
    return this.#sender.send(drafts);
  }

  async #open(signal: AbortSignal): ReturnType<typeof RelaySocket.open> {
    const { ports, api, directory, self, retention } = this.#options;
    await this.#incoming.prepare(() => {
      if (directory.state.devices.get(self.device)?.revokedAt === null) return;
      throw new ClientError('not-a-member', 'this device is not, or no longer, in the organisation');
    });
    // The log has been read within it.
    const token = await api.token();
    const opened = await RelaySocket.open({ ports, dial: this.#dial, token, signal }, (frame, socket) =>
      this.#incoming.receive(frame, socket),
    );
    void renewSession({ ports, api }, opened.socket, opened.relayTimeMs);
    await retention.heal(opened.relayTimeMs);
    try {
      await this.#incoming.inTurn(() => this.#timeline.settle(opened.timeline));
    } catch (error) {
      opened.socket.close();
      throw error;
    }
    return opened;
  }

  /** What an earlier answer of the relay, or none, has left unreadable. What fails is tried at the next connection. */
  async #fetchBoxes(isBack: boolean): Promise<void> {
    const { epochs } = this.#options;
    const { socket } = this.#connection;
    this.#isRereadDue ||= isBack;
    try {
      const isNew = socket !== null && (await epochs.fetchBoxes());
      if (!isNew && !this.#isRereadDue) return;
      this.#isRereadDue = false;
      await this.reread().catch((error: unknown) => {
        this.#isRereadDue = true;
        throw error;
      });
    } catch (error) {
      if (socket !== null) this.#connection.giveUp(socket, error);
    }
  }

  #afterFailure({ relayCode }: ClientError): void {
    const { api, outbox, ports } = this.#options;
    if (relayCode === 'session-ended') api.forgetToken();
    if (relayCode === 'message-id-reused') outbox.renewIds(ports.random);
  }

  #take(outcome: Outcome): void {
    const { outbox, self, retention, onOutcome } = this.#options;
    if (outcome.kind === 'epoch' || outcome.kind === 'forgotten') retention.sawEpoch(outcome.epoch);
    if (outcome.kind === 'message' && outcome.message.sender === self.device)
      outbox.seen(outcome.message.counter, outcome.message.link);
    onOutcome(outcome);
  }

  async #afterProcessing(): Promise<void> {
    if (this.#options.outbox.canCompact) await this.#compactOutbox();
    void this.#sender.sayAgain();
  }

  /** The journal must be durable before the outbox forgets: together they hold this device's chain. */
  async #compactOutbox(): Promise<void> {
    await this.#options.journal.flush();
    await this.#options.outbox.compact();
  }
}
