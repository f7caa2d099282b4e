import { parseEnvelopeHeader, type EpochKeys, type GroupId } from '@keytide/crypto-core';
import type { RelayFrame } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import { draftsAgain, sealDrafts, type Draft } from './draft.ts';
import { decodeEntry, encodeEntry } from './entry.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import { passes, reasonOf } from './failure.ts';
import type { GroupReplica, Outcome } from './group-replica.ts';
import { readPage, type Journal } from './journal.ts';
import { createNextEpoch } from './next-epoch.ts';
import type { Outbox } from './outbox.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { RelaySocket } from './relay-socket.ts';
import { Serial } from './serial.ts';

/** Where the client stands with its relay: for a status line or a progress bar. */
export type SyncState =
  /** `reason`: what ended the last attempt; `null` before the first. */
  | { readonly kind: 'offline'; readonly reason: ClientError | null }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'catching-up'; readonly done: number }
  | { readonly kind: 'online' }
  | { readonly kind: 'stopped'; readonly error: ClientError };

interface SyncOptions {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly journal: Journal;
  readonly outbox: Outbox;
  onOutcome(outcome: Outcome): void;
  onState(state: SyncState): void;
}

const BATCH_MESSAGES = 500;
const BATCH_BYTES = 512 * 1024;
const BACKOFF_MS = { first: 200, most: 10_000 };
const ROTATION_ATTEMPTS = 5;
/** How long what the relay acknowledged may take to come back in the log. */
const SHOW_MS = 30_000;
/** Frames that wait to be processed; more are left with the relay, and asked for again. */
const QUEUE_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES = 256;
const COVER_MS = 2_000;

/**
 * Keeps one group in step with the relay: what arrives goes to the journal, then through the replica; what
 * is written goes to the outbox, then to the relay, one batch in flight. Reconnects by itself.
 */
export class Sync {
  readonly #options: SyncOptions;
  readonly #incoming = new Serial();
  readonly #sending = new Serial();
  readonly #stopping = new AbortController();
  readonly #watchers = new Set<() => void>();
  #socket: RelaySocket | null = null;
  #state: SyncState = { kind: 'offline', reason: null };
  #ackedCounter = -1;
  #flushing = false;
  #queuedBytes = 0;
  #hasLeftFrames = false;
  #run: Promise<void> | null = null;

  constructor(options: SyncOptions) {
    this.#options = options;
  }

  get state(): SyncState {
    return this.#state;
  }

  /** Decides everything that the journal already holds; without network as far as the stored keys reach. */
  async loadStored(): Promise<void> {
    await this.#incoming.run(() => this.#processJournal());
  }

  /** Brings this device's copy of the membership log up to date. @throws ClientError `offline`, `relay-forked` */
  pullDirectory(): Promise<void> {
    return this.#incoming.run(() => this.#pullDirectory());
  }

  /** Starts to connect, and stays connected until `stop`. */
  start(): void {
    this.#run ??= this.#keepConnected();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.close();
    await this.#run;
    await this.#sending.run(async () => {});
    await this.#incoming.run(async () => {});
    await this.#compactOutbox();
    this.#changed();
  }

  /** Resolves when `condition` holds; checked after everything that happens here. @throws ClientError when stopped */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#state.kind === 'stopped') throw this.#state.error;
      if (this.#stopping.signal.aborted) throw new ClientError('closed', 'the client was closed');
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /**
   * Seals drafts and makes them durable in the outbox, in order.
   * @throws ClientError `not-ready`, `closed`, or the reason why sync stopped
   */
  send(drafts: readonly Draft[]): Promise<void> {
    return this.#sending.run(async () => {
      if (this.#state.kind === 'stopped') throw this.#state.error;
      if (this.#stopping.signal.aborted) throw new ClientError('closed', 'the client was closed');
      const keys = await this.#ensureEpoch();
      await this.#options.outbox.add(sealDrafts(this.#options, keys, drafts));
      void this.#flush();
    });
  }

  /** The keys to write under: those of a new epoch where the block is over or the members have changed. */
  async #ensureEpoch(): Promise<EpochKeys> {
    const { epochs, ports } = this.#options;
    if (this.#state.kind === 'catching-up') await this.until(() => this.#state.kind !== 'catching-up');
    for (let attempt = 0; epochs.needsRotation(ports.clock.now()); attempt += 1) {
      if (this.#state.kind !== 'online') {
        // Out of reach: the newest key there is still reaches everyone who was a recipient of it, but whoever
        // was removed must not read on, and a relay could cut the line to have it so.
        if (epochs.currentKeys !== null && !epochs.isExposed) break;
        await this.until(() => this.#state.kind !== 'connecting' && this.#state.kind !== 'catching-up');
        if (this.#state.kind === ('online' as SyncState['kind'])) continue;
        throw new ClientError('not-ready', 'no key to write with yet; connect to the relay once');
      }
      if (attempt === ROTATION_ATTEMPTS) {
        throw new ClientError('relay-misbehaved', 'the relay does not let a new epoch start');
      }
      await this.#rotate();
    }
    return epochs.currentKeys as EpochKeys;
  }

  /** Tries once to start a new epoch. Whether there is one now is for the caller to see. */
  async #rotate(): Promise<void> {
    const { ports, group, epochs } = this.#options;
    const socket = this.#socket;
    if (socket === null) return;
    const before = epochs.current?.epoch ?? 0;
    try {
      await this.pullDirectory();
      const created = await createNextEpoch(this.#options);
      created.key.dispose();
      await socket.request({
        type: 'announce',
        group,
        messageId: ports.random(16),
        statement: created.statement,
        boxes: created.boxes,
      });
      await this.#shows(socket, () => (epochs.current?.epoch ?? 0) > before);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.relayCode === 'epoch-taken') {
        await this.#shows(socket, () => (epochs.current?.epoch ?? 0) > before);
      } else if (error.code === 'offline') {
        // The HTTP side may notice first that the relay is gone: from here on this device is offline.
        this.#giveUp(socket, error);
        await this.until(() => this.#socket !== socket);
      } else if (error.relayCode !== 'stale-directory') {
        throw error;
      }
    }
  }

  /**
   * Waits until the log holds what the relay says it has stored, or the connection is over.
   * @throws ClientError `relay-misbehaved` when it does not come, and starts the connection anew
   */
  async #shows(socket: RelaySocket, condition: () => boolean): Promise<void> {
    const { clock } = this.#options.ports;
    const done = new AbortController();
    let isLate = false;
    void clock.wait(SHOW_MS, done.signal).then(() => {
      isLate = true;
      this.#changed();
    });
    try {
      await this.until(() => isLate || this.#socket !== socket || condition());
    } finally {
      done.abort();
    }
    if (this.#socket !== socket || condition()) return;
    const error = new ClientError('relay-misbehaved', 'the relay does not show what it says it has stored');
    this.#giveUp(socket, error);
    throw error;
  }

  async #keepConnected(): Promise<void> {
    const { ports, api, journal, group, directory, self } = this.#options;
    const { signal } = this.#stopping;
    let backoffMs = BACKOFF_MS.first;
    while (!signal.aborted && this.#state.kind !== 'stopped') {
      try {
        this.#setState({ kind: 'connecting' });
        const token = await api.token();
        await this.#incoming.run(async () => {
          await this.#pullDirectory();
          if (directory.state.devices.get(self.device)?.revokedAt !== null) {
            throw new ClientError('not-a-member', 'this device is not, or no longer, in the organisation');
          }
          await this.#processJournal();
        });
        const opened = await RelaySocket.open({ ports, url: api.socketUrl, token, signal }, (frame, socket) =>
          this.#receive(frame, socket),
        );
        this.#socket = opened.socket;
        if ((this.#state as SyncState).kind === 'stopped') opened.socket.close();
        this.#ackedCounter = -1;
        this.#setState({ kind: 'catching-up', done: journal.length });
        opened.socket.send({ type: 'subscribe', group, afterSeq: journal.length });
        if (opened.directorySize > directory.size) {
          void this.#guard(opened.socket, () => this.#pullDirectory());
        }
        const reason = await opened.socket.closed;
        if ((this.#state as SyncState).kind === 'online') backoffMs = BACKOFF_MS.first;
        throw reason;
      } catch (error) {
        this.#afterFailure(error);
      }
      if (signal.aborted || (this.#state as SyncState).kind === 'stopped') break;
      const spread = (ports.random(1)[0] as number) / 255;
      await ports.clock.wait(backoffMs * (0.5 + spread / 2), signal);
      backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.most);
    }
    this.#changed();
  }

  /** Something failed while this connection was used: it ends, and the next attempt follows, or sync stops now. */
  #giveUp(socket: RelaySocket, error: unknown): void {
    const reason = reasonOf(error);
    if (!passes(reason)) this.#afterFailure(reason);
    socket.close(reason);
  }

  /** Most failures pass; a proof of misbehaviour or a lost right does not. */
  #afterFailure(error: unknown): void {
    const { api, outbox, ports } = this.#options;
    const reason = reasonOf(error);
    this.#socket?.close(reason);
    this.#socket = null;
    if (reason.relayCode === 'session-ended') api.forgetSession();
    if (reason.relayCode === 'message-id-reused') outbox.renewIds(ports.random);
    this.#setState(passes(reason) ? { kind: 'offline', reason } : { kind: 'stopped', error: reason });
    this.#changed();
  }

  #receive(frame: RelayFrame, socket: RelaySocket): void {
    if ('group' in frame && frame.group !== this.#options.group) return;
    const entries = frame.type === 'entries' ? frame.entries : [];
    const sizeBytes = entries.reduce((sum, { bytes }) => sum + bytes.length, FRAME_BYTES);
    if (this.#queuedBytes + sizeBytes > QUEUE_BYTES) return this.#leave(socket);
    this.#queuedBytes += sizeBytes;
    void this.#guard(socket, () => this.#take(frame, socket)).then(() => {
      this.#queuedBytes -= sizeBytes;
      if (this.#queuedBytes === 0 && this.#hasLeftFrames) this.#askAgain(socket);
    });
  }

  /** A browser's socket cannot be told to wait, so what is too much is dropped, and the log's end asked for. */
  #leave(socket: RelaySocket): void {
    if (this.#hasLeftFrames) return;
    this.#hasLeftFrames = true;
    socket.send({ type: 'subscribe', group: this.#options.group, afterSeq: Number.MAX_SAFE_INTEGER });
  }

  #askAgain(socket: RelaySocket): void {
    const { group, journal } = this.#options;
    this.#hasLeftFrames = false;
    socket.send({ type: 'subscribe', group, afterSeq: journal.length });
    void this.#guard(socket, () => this.#pullDirectory());
  }

  async #take(frame: RelayFrame, socket: RelaySocket): Promise<void> {
    const { journal } = this.#options;
    if (frame.type === 'entries') {
      const known = journal.length + 1 - frame.firstSeq;
      if (known >= 0) {
        await journal.append(frame.entries.slice(known).map(encodeEntry));
        await this.#processJournal();
      } else if (!this.#hasLeftFrames) {
        socket.send({ type: 'subscribe', group: frame.group, afterSeq: journal.length });
      }
    } else if (frame.type === 'caught-up') {
      if (frame.headSeq < journal.length)
        throw new ClientError('relay-misbehaved', "the relay shows less of the group's log than before");
      if (frame.headSeq > journal.length || socket !== this.#socket) return;
      this.#setState({ kind: 'online' });
      void this.#resume();
      void this.#coverExposure();
    } else if (frame.type === 'directory') {
      await this.#pullDirectory();
      void this.#coverExposure();
    } else if (frame.type === 'gap') {
      throw new ClientError(
        'relay-misbehaved',
        `the relay no longer has entries before ${frame.firstAvailableSeq}`,
      );
    }
  }

  /** Runs a job of the incoming side; when it fails, the connection starts anew or sync stops. */
  async #guard(socket: RelaySocket, job: () => Promise<void>): Promise<void> {
    try {
      await this.#incoming.run(async () => {
        if (this.#state.kind !== 'stopped') await job();
      });
    } catch (error) {
      this.#giveUp(socket, error);
    }
    this.#changed();
  }

  async #pullDirectory(): Promise<void> {
    const { directory, api } = this.#options;
    await directory.pull((from) => api.readLog(from));
  }

  async #processJournal(): Promise<void> {
    const { journal, replica, outbox, self, onOutcome } = this.#options;
    while (replica.size < journal.length) {
      const page = await readPage(journal, replica.size);
      for await (const outcome of replica.process(page.map(decodeEntry))) {
        if (outcome.kind === 'message' && outcome.message.sender === self.device)
          outbox.seen(outcome.message.counter, outcome.message.link);
        onOutcome(outcome);
      }
      if (this.#state.kind === 'catching-up') this.#setState({ kind: 'catching-up', done: replica.size });
    }
    if (outbox.canCompact) await this.#compactOutbox();
    void this.#sayAgain();
    this.#changed();
  }

  /** Sends what waited for the connection, under an epoch of now. */
  async #resume(): Promise<void> {
    try {
      if (this.#options.outbox.size > 0) await this.#sending.run(() => this.#ensureEpoch());
    } catch {
      // Told to whoever writes next; until then everything stays in the outbox.
      return;
    }
    void this.#flush();
    void this.#sayAgain();
  }

  /** Starts an epoch without whoever was removed, also when nobody writes. Devices take turns by chance. */
  async #coverExposure(): Promise<void> {
    const { epochs, ports } = this.#options;
    if (!epochs.isExposed) return;
    const share = (ports.random(1)[0] as number) / 255;
    await ports.clock.wait(share * COVER_MS, this.#stopping.signal);
    if (!epochs.isExposed || this.#state.kind !== 'online') return;
    await this.#sending.run(() => this.#ensureEpoch()).catch(() => {});
  }

  /** Seals anew what the log went on without: those envelopes have lost their place in this device's chain. */
  async #sayAgain(): Promise<void> {
    const { outbox, epochs } = this.#options;
    if (outbox.passedOver.length === 0 || this.#state.kind !== 'online') return;
    await this.#sending
      .run(async () => {
        const drafts = draftsAgain(epochs, outbox.passedOver);
        if (drafts.length === 0) return;
        await outbox.add(sealDrafts(this.#options, await this.#ensureEpoch(), drafts));
      })
      // What keeps it from being sealed now is told to whoever writes next; it stays in the outbox until then.
      .catch(() => {});
    void this.#flush();
  }

  /** The journal must be durable before the outbox forgets: together they hold this device's chain. */
  async #compactOutbox(): Promise<void> {
    await this.#options.journal.flush();
    await this.#options.outbox.compact();
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    const { outbox, group, replica, self } = this.#options;
    const socket = this.#socket;
    this.#passOverExposed();
    try {
      while (socket !== null && socket === this.#socket && this.#state.kind === 'online') {
        const batch = outbox.after(this.#ackedCounter, BATCH_MESSAGES, BATCH_BYTES);
        const last = batch.at(-1);
        if (last === undefined) break;
        await socket.request({ type: 'append', group, items: batch });
        this.#ackedCounter = last.counter;
        const isShown = (): boolean => (replica.headOf(self.device)?.counter ?? -1) >= last.counter;
        void this.#shows(socket, isShown).catch(() => {});
      }
    } catch (error) {
      if (socket !== null) this.#giveUp(socket, error);
    } finally {
      this.#flushing = false;
      this.#changed();
    }
  }

  /**
   * What was sealed while somebody since removed could read it, and has not left this device, is sealed anew.
   * Receivers will miss the counters of the envelopes given up.
   */
  #passOverExposed(): void {
    const { outbox, epochs } = this.#options;
    const known = new Map<number, boolean>();
    const isExposed = outbox.passOver(this.#ackedCounter, ({ envelope }) => {
      const { epoch } = parseEnvelopeHeader(envelope);
      const exposes = known.get(epoch) ?? epochs.exposes(epoch);
      known.set(epoch, exposes);
      return exposes;
    });
    // Not for what was given up before: saying it again ends here, and what failed once would be tried without end.
    if (isExposed) void this.#sayAgain();
  }

  #setState(state: SyncState): void {
    if (this.#state.kind === 'stopped') return;
    this.#state = state;
    this.#options.onState(state);
    this.#changed();
  }

  #changed(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}
