import type { GroupId, Primitives } from '@keytide/crypto-core';
import type { HintTopic, RelayFrame } from '@keytide/relay-protocol';
import type { Connection } from './connection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { decodeRecord, encodeRecord } from './entry.ts';
import type { EpochRing } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { GroupReplica, Outcome } from './group-replica.ts';
import { readPage, type Journal } from './journal.ts';
import { fittingFloor } from './log-floor.ts';
import type { RelayApi } from './relay-api.ts';
import type { RelaySocket } from './relay-socket.ts';
import { Serial } from './serial.ts';

/** Where what arrives goes, and who is told. */
interface IncomingOptions {
  readonly connection: Connection;
  readonly api: RelayApi;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly replica: GroupReplica;
  readonly epochs: EpochRing;
  readonly primitives: Primitives;
  readonly journal: Journal;
  /** The time that decides what is over for good. */
  nowMs(): number;
  onOutcome(outcome: Outcome): void;
  /** Everything that the journal holds is decided. */
  onProcessed(): Promise<void>;
  /** The relay has nothing more of the group's log. */
  onCaughtUp(): void;
  /** The membership log has grown. */
  onDirectory(): void;
  /** A device says something only to those who are connected. */
  onEphemeral(frame: Uint8Array, socket: RelaySocket): void;
  /** Something outside the logs has changed for this device. */
  onHint(topic: HintTopic): void;
}

/** Frames that wait to be processed; more are left with the relay, and asked for again. */
const QUEUE_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES = 256;

/** What the relay sends, one thing after another: entries to the journal and then through the replica. */
export class Incoming {
  readonly #options: IncomingOptions;
  readonly #jobs = new Serial();
  #queuedBytes = 0;
  #hasLeftFrames = false;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** Decides everything that the journal already holds; without network as far as the stored keys reach. */
  async loadStored(): Promise<void> {
    await this.#jobs.run(() => this.#processJournal());
  }

  /** Brings this device's copy of the membership log up to date. @throws ClientError `offline`, `relay-forked` */
  pullDirectory(): Promise<void> {
    return this.#jobs.run(() => this.#pullDirectory());
  }

  /** What comes before a socket: the membership log, `look`, and the part of the journal that waited for either. */
  async prepare(look: () => void): Promise<void> {
    await this.#jobs.run(async () => {
      await this.#pullDirectory();
      look();
      await this.#processJournal();
    });
  }

  /** Asks for the group's log from where this device's copy ends, and for more of the membership log. */
  subscribe(socket: RelaySocket, directorySize: number): void {
    const { connection, group, directory } = this.#options;
    connection.become({ kind: 'catching-up', done: this.#endSeq, total: null });
    socket.subscribe(group, this.#endSeq);
    if (directorySize > directory.size) void this.#guard(socket, () => this.#pullDirectory());
  }

  /** Takes a frame; it is processed when everything before it is. */
  receive(frame: RelayFrame, socket: RelaySocket): void {
    if ('group' in frame && frame.group !== this.#options.group) return;
    if (frame.type === 'ephemeral') return this.#options.onEphemeral(frame.frame, socket);
    if (frame.type === 'hint') {
      if (frame.topic !== null) this.#options.onHint(frame.topic);
      return;
    }
    const entries = frame.type === 'entries' ? frame.entries : [];
    const sizeBytes = entries.reduce((sum, { bytes }) => sum + bytes.length, FRAME_BYTES);
    if (this.#queuedBytes + sizeBytes > QUEUE_BYTES) return this.#leave(socket);
    this.#queuedBytes += sizeBytes;
    void this.#guard(socket, () => this.#take(frame, socket)).then(() => {
      this.#queuedBytes -= sizeBytes;
      if (this.#queuedBytes === 0 && this.#hasLeftFrames) this.#askAgain(socket);
    });
  }

  /**
   * Decides anew everything that was decided, as where keys have come for what could not be read.
   * @throws ClientError `offline` when membership entries must be fetched first; what was decided then stands
   */
  async reread(): Promise<void> {
    const { connection, journal, replica, onOutcome } = this.#options;
    await this.#jobs.run(async () => {
      const fresh = replica.fresh();
      while (fresh.records < replica.records) {
        const page = (await readPage(journal, fresh.records)).slice(0, replica.records - fresh.records);
        for await (const outcome of fresh.process(page.map(decodeRecord))) onOutcome(outcome);
      }
      replica.become(fresh);
    });
    connection.changed();
  }

  /** Judges what came beside the logs, once everything before it is processed; a failure ends the connection. */
  judge(socket: RelaySocket, job: () => Promise<void>): Promise<void> {
    return this.#guard(socket, job);
  }

  /** Does something while nothing is decided. */
  inTurn<T>(job: () => Promise<T>): Promise<T> {
    return this.#jobs.run(job);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#jobs.run(async () => {});
  }

  /** A browser's socket cannot be told to wait, so what is too much is dropped, and the log's end asked for. */
  #leave(socket: RelaySocket): void {
    if (this.#hasLeftFrames) return;
    this.#hasLeftFrames = true;
    socket.subscribe(this.#options.group, Number.MAX_SAFE_INTEGER);
  }

  #askAgain(socket: RelaySocket): void {
    const { group } = this.#options;
    this.#hasLeftFrames = false;
    socket.subscribe(group, this.#endSeq);
    void this.#guard(socket, () => this.#pullDirectory());
  }

  async #take(frame: RelayFrame, socket: RelaySocket): Promise<void> {
    const { connection, journal, onCaughtUp, onDirectory } = this.#options;
    if (frame.type === 'entries') {
      const known = this.#endSeq + 1 - frame.firstSeq;
      if (known >= 0) {
        await journal.append(frame.entries.slice(known).map(encodeRecord));
        await this.#processJournal();
      } else if (!this.#hasLeftFrames) {
        socket.subscribe(frame.group, this.#endSeq);
      }
    } else if (frame.type === 'head') {
      if (connection.state.kind === 'catching-up') this.#progress(frame.headSeq);
    } else if (frame.type === 'caught-up') {
      if (frame.headSeq < this.#endSeq)
        throw new ClientError('relay-misbehaved', "the relay shows less of the group's log than before");
      if (frame.headSeq > this.#endSeq || socket !== connection.socket) return;
      connection.become({ kind: 'online' });
      onCaughtUp();
    } else if (frame.type === 'directory') {
      await this.#pullDirectory();
      onDirectory();
    } else if (frame.type === 'gap') {
      await this.#takeFloor(frame.firstAvailableSeq);
    }
  }

  /** The relay has forgotten what comes next: goes on where the log begins now, if that fits the policy. */
  async #takeFloor(firstAvailableSeq: number): Promise<void> {
    const { api, group, journal, primitives, directory, epochs, nowMs } = this.#options;
    // A policy that lets it forget earlier is in there.
    await this.#pullDirectory();
    await this.#processJournal();
    if (firstAvailableSeq <= this.#endSeq + 1) return;
    const context = { primitives, directory, epochs, endSeq: this.#endSeq, nowMs: nowMs() };
    const body = await api.floor(group).catch((error: unknown) => {
      // It may know better at the next attempt: nothing that a person could do.
      if (!(error instanceof ClientError) || error.relayCode !== 'not-found') throw error;
      throw new ClientError('relay-misbehaved', 'the relay has forgotten, and does not say where it goes on');
    });
    await journal.append([encodeRecord(await fittingFloor(body, context))]);
    await this.#processJournal();
  }

  /** The seq up to which the journal has the log. What is not decided yet is entries: a floor was verified before. */
  get #endSeq(): number {
    const { journal, replica } = this.#options;
    return replica.size + journal.length - replica.records;
  }

  /** Runs a job; when it fails, the connection starts anew or sync stops. */
  async #guard(socket: RelaySocket, job: () => Promise<void>): Promise<void> {
    const { connection } = this.#options;
    try {
      await this.#jobs.run(async () => {
        if (connection.state.kind !== 'stopped') await job();
      });
    } catch (error) {
      connection.giveUp(socket, error);
    }
    connection.changed();
  }

  /** Only for show: the relay's word for the end of the log decides nothing. */
  #progress(headSeq: number | null): void {
    const done = this.#options.replica.size;
    const total = headSeq === null ? null : Math.max(done, headSeq);
    this.#options.connection.become({ kind: 'catching-up', done, total });
  }

  async #pullDirectory(): Promise<void> {
    const { directory, api, connection } = this.#options;
    await directory.pull(api, connection.signal);
  }

  async #processJournal(): Promise<void> {
    const { connection, journal, replica, onOutcome, onProcessed } = this.#options;
    while (replica.records < journal.length) {
      const page = await readPage(journal, replica.records);
      for await (const outcome of replica.process(page.map(decodeRecord))) onOutcome(outcome);
      if (connection.state.kind === 'catching-up') this.#progress(connection.state.total);
    }
    await onProcessed();
    connection.changed();
  }
}
