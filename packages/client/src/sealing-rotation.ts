import type { SyncState } from './connection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { sealingTimesOf } from './sealing-times.ts';
import { Serial } from './serial.ts';
import type { TrustedTime } from './trusted-time.ts';

/** What the rotation asks of a `Connection`. */
interface Line {
  readonly state: Pick<SyncState, 'kind'>;
  readonly signal: AbortSignal;
  readonly socket: Heard | null;
  giveUp(socket: Heard, error: unknown): void;
}

interface Heard {
  readonly heardMs: number;
}

interface SealingRotationOptions {
  readonly ports: Pick<Ports, 'clock' | 'random'>;
  readonly api: Pick<RelayApi, 'publishSealingRecord'>;
  readonly connection: Line;
  readonly directory: Pick<DirectoryReplica, 'size' | 'state'>;
  readonly epochs: Pick<EpochRing, 'unopened'>;
  readonly sealing: OwnSealingKeys;
  readonly time: Pick<TrustedTime, 'now'>;
  /** Resolves when everything that has come is processed. */
  idle(): Promise<void>;
}

/**
 * How far ahead a key starts that follows none in force: the relay refuses what starts before it came, by its
 * own clock. Tried in turn, at most a quarter of a block.
 */
const LEADS_MS = [5_000, 300_000, 3_600_000] as const;
const STEP_MS = { least: 250, most: 600_000 };

/**
 * Publishes this device's next sealing key before the current one ends, and deletes the secrets whose time is
 * over: whenever it has caught up with the relay, and on a timer.
 */
export class SealingRotation {
  readonly #options: SealingRotationOptions;
  readonly #ticks = new Serial();
  /** Devices that let their keys begin together do not publish together. */
  readonly #share: number;
  #syncedMs = 0;

  constructor(options: SealingRotationOptions) {
    this.#options = options;
    this.#share = (options.ports.random(1)[0] as number) / 255;
  }

  /** Ticks until the connection is stopped. */
  async run(): Promise<void> {
    const { ports, connection, directory } = this.#options;
    while (!connection.signal.aborted) {
      const stepMs = directory.size === 0 ? 0 : sealingTimesOf(directory.state.policy).blockMs / 16;
      await ports.clock.wait(Math.min(STEP_MS.most, Math.max(STEP_MS.least, stepMs)), connection.signal);
      if (!connection.signal.aborted) await this.tick();
    }
  }

  /**
   * Does what is due, and never rejects. What the relay keeps it from is done at the next tick; a store that fails
   * ends the connection, so that the person is told.
   */
  tick(): Promise<void> {
    const { connection, directory } = this.#options;
    return this.#ticks.run(async () => {
      if (directory.size === 0) return;
      try {
        if (connection.state.kind === 'online') await this.#publish().catch(unlessRelay);
        await this.#deleteExpired();
      } catch (error) {
        const { socket } = connection;
        if (socket !== null) connection.giveUp(socket, error);
      }
    });
  }

  /**
   * Makes sure that this device can open what is sealed to its newest key, as each epoch that it starts itself is.
   * @throws ClientError `not-ready`
   */
  async ready(): Promise<void> {
    const { sealing } = this.#options;
    if (!sealing.hasNewest) await this.tick();
    if (!sealing.hasNewest)
      throw new ClientError(
        'not-ready',
        'the relay takes no sealing key of this device; is its clock right?',
      );
  }

  async #publish(): Promise<void> {
    const { ports, directory, sealing } = this.#options;
    const { blockMs } = sealingTimesOf(directory.state.policy);
    if (sealing.unpublished !== null) await this.#tryPublish();
    for (const leadMs of LEADS_MS) {
      const { newest } = sealing;
      const nowMs = this.#nowMs();
      if (newest === null) return;
      const isDue = nowMs >= newest.notAfterMs - blockMs * (0.25 + this.#share / 4);
      // A secret can be gone before its key has ended: by a clock that was fast and was put right.
      if (!isDue && sealing.hasNewest) return;
      const fromMs = Math.max(newest.notAfterMs, nowMs + Math.min(leadMs, blockMs / 4));
      if (ports.clock.now() + blockMs < fromMs) return;
      await sealing.add(fromMs);
      await this.#tryPublish();
    }
  }

  /** Hands in the record that is waiting: it is published, or there was none. @throws ClientError when nobody knows */
  async #tryPublish(): Promise<void> {
    const { api, sealing } = this.#options;
    const wire = sealing.unpublished as Uint8Array;
    try {
      await api.publishSealingRecord(wire);
    } catch (error) {
      if (!(error instanceof ClientError) || error.relayCode !== 'record-refused') throw error;
      return await sealing.withdraw(wire);
    }
    await sealing.confirm(wire);
  }

  async #deleteExpired(): Promise<void> {
    const { connection, epochs, sealing, time, idle } = this.#options;
    // What is over without the relay's word does not wait for the relay.
    this.#syncedMs = this.#latestPast([this.#syncedMs]);
    await sealing.deleteExpired({ nowMs: time.now(), syncedMs: this.#syncedMs }, epochs.unopened);
    // What the relay had when it was heard last has come; then it must be opened before anything is deleted.
    const heardMs = connection.socket?.heardMs ?? 0;
    if (heardMs > 0) await idle();
    const heard = connection.state.kind === 'online' ? [this.#syncedMs, heardMs] : [this.#syncedMs];
    this.#syncedMs = this.#latestPast(heard);
    await sealing.deleteExpired({ nowMs: time.now(), syncedMs: this.#syncedMs }, epochs.unopened);
  }

  /** What is dated ahead is from a clock that was fast: nobody knows when it was, and it would close keys to come. */
  #latestPast(times: readonly number[]): number {
    const nowMs = this.#nowMs();
    return Math.max(0, ...times.filter((ms) => ms <= nowMs));
  }

  /** A record must not start before its device has heard it is later. */
  #nowMs(): number {
    const { ports, directory } = this.#options;
    return Math.max(ports.clock.now(), directory.state.timeMs);
  }
}

/** What the relay refuses or does not answer passes. @throws anything else */
function unlessRelay(error: unknown): void {
  if (!(error instanceof ClientError)) throw error;
}
