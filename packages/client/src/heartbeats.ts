import {
  closingOfHeartbeat,
  CryptoError,
  encodeHeartbeat,
  readHeartbeat,
  type DeviceId,
  type EphemeralMessage,
  type GroupId,
} from '@keytide/crypto-core';
import { recipientsOf } from '@keytide/key-directory';
import type { Finding } from './arrivals.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import type { GroupReplica } from './group-replica.ts';
import type { Live } from './live.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import type { RelaySocket } from './relay-socket.ts';

/** What heartbeats are made from and compared with. */
interface HeartbeatsParts {
  readonly ports: Ports;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly live: Live;
  readonly connection: {
    readonly online: RelaySocket | null;
    /** Runs a job once everything that came before is processed; a failure ends the connection. */
    judge(socket: RelaySocket, job: () => Promise<void>): Promise<void>;
  };
  /** The relay has not given what a member has seen. */
  onFinding(finding: Finding): void;
}

/** What a member named and this device does not hold: on its way, or withheld. */
interface Claim {
  readonly message: EphemeralMessage;
  readonly frame: Uint8Array;
  /** The connection on which it has to come. */
  socket: RelaySocket;
}

const QUIET_MS = 10_000;
const INTERVAL_MS = 5 * 60_000;
const MAX_AGE_MS = 5 * 60_000;
/** So many witnesses in an interval are enough. */
const WITNESSES = 32;
/** What is named may be on its way for so long. */
const GRACE_MS = 30_000;
const NO_CHANNEL = new Uint8Array(16);

/** While a group is quiet its devices name what they have said and seen, so that a tail cut off is missed. */
export class Heartbeats implements Part {
  readonly topic = null;
  readonly #parts: HeartbeatsParts;
  readonly #stopping = new AbortController();
  readonly #claims = new Map<DeviceId, Claim>();
  readonly #reported = new Map<DeviceId, number>();
  #nap = new AbortController();
  #dueMs = 0;
  #heardMs: number | null = null;
  #running: Promise<void> | null = null;

  constructor(parts: HeartbeatsParts) {
    this.#parts = parts;
  }

  /** When another device was heard last, by this device's clock: a message or a heartbeat. `null`: not since the start. */
  get heardMs(): number | null {
    return this.#heardMs;
  }

  /** A message has come in the group's log: of this device, so the next heartbeat names it, or of another. */
  saw(sender: DeviceId): void {
    if (this.#running === null) return;
    const nowMs = this.#parts.live.time.now();
    if (sender !== this.#parts.self.device) this.#heardMs = nowMs;
    else this.#due(nowMs + QUIET_MS);
  }

  /** Takes an authentic heartbeat. */
  take(message: EphemeralMessage, frame: Uint8Array, socket: RelaySocket): void {
    this.#heardMs = this.#parts.live.time.now();
    void this.#parts.connection.judge(socket, () => this.#judge(message, frame, socket));
  }

  wake(): void {
    const { online } = this.#parts.connection;
    if (online === null || this.#stopping.signal.aborted) return;
    if (this.#running === null) {
      this.#dueMs = this.#someTime(0);
      this.#running = this.#run();
    }
    for (const [sender, claim] of this.#claims) {
      if (claim.socket === online) continue;
      claim.socket = online;
      void this.#compareLater(sender, claim);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#nap.abort();
    await this.#running;
  }

  #due(atMs: number): void {
    const isEarlier = atMs < this.#dueMs;
    this.#dueMs = atMs;
    if (isEarlier) this.#nap.abort();
  }

  /** A moment by chance in the next interval, which starts `afterMs` from now; longer in a large group. */
  #someTime(afterMs: number): number {
    const { directory, group, ports, live } = this.#parts;
    const devices = recipientsOf(directory.state, group).length;
    const share = (ports.random(1)[0] as number) / 255;
    return live.time.now() + afterMs + share * INTERVAL_MS * Math.max(1, devices / WITNESSES);
  }

  async #run(): Promise<void> {
    const { time } = this.#parts.live;
    while (!this.#stopping.signal.aborted) {
      this.#nap = new AbortController();
      const waitMs = Math.max(0, this.#dueMs - time.now());
      await time.wait(Math.min(waitMs, INTERVAL_MS), this.#nap.signal);
      if (this.#stopping.signal.aborted || time.now() < this.#dueMs) continue;
      try {
        this.#say();
      } catch (error) {
        // The keys were let go just now: the next one says it.
        if (!(error instanceof CryptoError)) throw error;
      }
      this.#dueMs = this.#someTime(INTERVAL_MS / 2);
    }
  }

  #say(): void {
    const { connection, directory, epochs, live, replica, self } = this.#parts;
    const { online } = connection;
    const keys = epochs.currentKeys;
    if (online === null || keys === null) return;
    const heartbeat = encodeHeartbeat({
      last: replica.headOf(self.device),
      heads: {
        directory: { size: directory.size, root: directory.rootAt(directory.size) as Uint8Array },
        group: { size: replica.size, root: replica.rootAt(replica.size) as Uint8Array },
      },
    });
    live.say(online, keys, { kind: 'heartbeat', channel: NO_CHANNEL, maxAgeMs: MAX_AGE_MS }, heartbeat);
  }

  async #judge(message: EphemeralMessage, frame: Uint8Array, socket: RelaySocket): Promise<void> {
    const { epochs } = this.#parts;
    const { sender } = message;
    try {
      await epochs.assertDirectoryClaim(sender, readHeartbeat(message).heads.directory, frame);
    } catch (error) {
      // No heartbeat, or of a device that was removed meanwhile: it says nothing.
      if (error instanceof CryptoError) return;
      throw error;
    }
    const claim = { message, frame, socket };
    // An older claim of the sender goes first: one that is renewed all the time would never be judged.
    if (this.#compare(claim, false) || this.#claims.has(sender)) return;
    this.#claims.set(sender, claim);
    void this.#compareLater(sender, claim);
  }

  /** What has not come by then, on a connection that lasted, is withheld. Otherwise `wake` begins anew. */
  async #compareLater(sender: DeviceId, claim: Claim): Promise<void> {
    const { connection, live } = this.#parts;
    const { socket } = claim;
    await live.time.wait(GRACE_MS, this.#stopping.signal);
    if (this.#stopping.signal.aborted || connection.online !== socket || claim.socket !== socket) return;
    await connection.judge(socket, async () => {
      this.#claims.delete(sender);
      this.#compare(claim, true);
    });
  }

  /** Whether nothing that was named is missing here. Another log is told at once, what is missing when it is `due`. */
  #compare({ message, frame }: Claim, due: boolean): boolean {
    const { replica, onFinding } = this.#parts;
    const difference = replica.compare(closingOfHeartbeat(message));
    const { missing, missingEntries, isForked } = difference;
    const isComplete = missing.length === 0 && missingEntries === null;
    const evidence = { device: message.sender, evidence: frame };
    const news = due ? missing.flatMap((run) => this.#unreported(run)) : [];
    const divergence = isForked || (due && missingEntries !== null) ? evidence : null;
    if (news.length > 0 || divergence !== null) onFinding({ missing: news, divergence });
    return isComplete;
  }

  /** The part of a run that was not told before: the same heartbeat comes every few minutes. */
  #unreported({ device, from, to }: Finding['missing'][number]): Finding['missing'] {
    const before = this.#reported.get(device) ?? -1;
    this.#reported.set(device, Math.max(before, to));
    return to > before ? [{ device, from: Math.max(from, before + 1), to }] : [];
  }
}
