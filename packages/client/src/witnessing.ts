import type { DeviceId } from '@keytide/crypto-core';
import { DirectoryError, MAX_AHEAD_MS, parseNote } from '@keytide/key-directory';
import type { Connection } from './connection.ts';
import type { Cosigner } from './cosigner.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { Serial } from './serial.ts';
import { openCheckpoint, type SignedCheckpoint } from './signed-checkpoint.ts';
import { adminOf, cosignedBy, witnessesIn, type Witnesses } from './witness-demand.ts';
import type { WitnessLedger } from './witness-ledger.ts';

/** What witnessing works with. */
export interface WitnessingOptions {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly connection: Connection;
  readonly directory: DirectoryReplica;
  readonly self: { readonly device: DeviceId };
  readonly ledger: WitnessLedger;
  readonly cosigner: Cosigner;
  pullDirectory(): Promise<void>;
  /** The policy's demand is met, or not met any more. */
  onWitnesses(witnesses: Witnesses): void;
}

const STEP_MS = { least: 250, most: 600_000 };

/**
 * Witnesses of the membership log (docs/spec/directory-service.md): an admin's device cosigns what it has replayed,
 * after each growth and before its word is old; every device demands as many admins' words as the policy says.
 */
export class Witnessing {
  readonly #options: WitnessingOptions;
  readonly #jobs = new Serial();
  /** What the relay has of this device, since it was started. */
  #handedIn: { readonly size: number; readonly timeSeconds: number } | null = null;
  #wasMet = true;
  #againMs = Infinity;
  #pause = new AbortController();

  constructor(options: WitnessingOptions) {
    this.#options = options;
  }

  /** Who has vouched for this device's log, as far as it knows. */
  get witnesses(): Witnesses {
    return this.#witnessesAt(this.#nowSeconds());
  }

  /** Ticks until the connection is stopped; `wake` it then. */
  async run(): Promise<void> {
    const { ports, connection } = this.#options;
    while (!connection.signal.aborted) {
      const stepMs = Math.max(STEP_MS.least, ((this.#demand?.maxAgeSeconds ?? Infinity) * 1000) / 16);
      await ports.clock.wait(Math.min(STEP_MS.most, stepMs, this.#againMs), this.#pause.signal);
      // Others answer a growth of the log within moments, or come back some day.
      const againMs = this.#againMs === Infinity ? STEP_MS.least : 2 * this.#againMs;
      this.#againMs = this.#willLast ? Infinity : againMs;
      // Before the work, so that who wakes it meanwhile is not forgotten.
      this.#pause = new AbortController();
      if (connection.state.kind === 'online') await this.tick();
    }
  }

  /** Something has changed: the next tick is now. */
  wake(): void {
    this.#againMs = STEP_MS.least;
    this.#pause.abort();
  }

  /** Cosigns and looks around where that is due. What the relay keeps it from is done at the next tick. */
  async tick(): Promise<void> {
    const { connection } = this.#options;
    const { socket } = connection;
    if (this.#demand === null) return;
    try {
      await this.#jobs.run(() => this.#work());
    } catch (error) {
      if (error instanceof ClientError && PASSING.has(error.code)) return;
      // Without a socket, the next attempt to open one finds the same.
      if (socket !== null) connection.giveUp(socket, error);
    }
    this.#tell();
  }

  /**
   * What may only follow a log that is witnessed asks here.
   * @throws ClientError `unwitnessed`, with the newest note that an admin has cosigned; `offline`,
   *   `relay-misbehaved`, `relay-forked`
   * @param waits how often to look again: the others' devices answer a growth of the log within moments
   */
  async demand(waits = 0): Promise<void> {
    const { ports, connection } = this.#options;
    for (let looks = 0; !this.witnesses.isMet; looks += 1) {
      if (looks > 0) await ports.clock.wait(STEP_MS.least, connection.signal);
      await this.#jobs.run(() => this.#work());
      if (looks === waits || connection.signal.aborted) break;
    }
    this.#tell();
    if (this.witnesses.isMet) return;
    const { note } = this.#options.ledger;
    throw new ClientError('unwitnessed', 'too few admins have cosigned the membership log lately', {
      evidence: note === null ? [] : [note],
    });
  }

  async #work(): Promise<void> {
    try {
      await this.#cosign();
    } catch (error) {
      // Whoever may not cosign can still look what others have.
      if (!(error instanceof ClientError) || error.code !== 'relay-refused') throw error;
    }
    if (!this.#willLast) await this.#look();
  }

  /** An admin's device says what it has seen. */
  async #cosign(): Promise<void> {
    const { api, directory, self, ports, cosigner } = this.#options;
    const { checkpoint } = directory;
    if (checkpoint === null || checkpoint.size !== directory.size || !this.#isDue(checkpoint)) return;
    const timeSeconds = this.#nowSeconds();
    const note = await cosigner.cosign(checkpoint, timeSeconds);
    if (note === null) return;
    try {
      await api.handInCosignature(note);
    } catch (error) {
      throw isDenied(error) ? await this.#denied(checkpoint, error) : error;
    }
    this.#handedIn = { size: checkpoint.size, timeSeconds };
    const { state } = directory;
    const own = cosignedBy(ports.primitives, state, parseNote(note), this.#latestSeconds());
    await this.#options.ledger.take(state, { note }, new Map([...own].filter(([by]) => by === self.device)));
  }

  #isDue({ size }: SignedCheckpoint): boolean {
    const { directory, self } = this.#options;
    if (this.#demand === null || adminOf(directory.state, self.device) === null) return false;
    if (this.#handedIn === null || this.#handedIn.size < size) return true;
    // A step before a quarter of the age is over.
    return this.#nowSeconds() - this.#handedIn.timeSeconds >= (this.#demand.maxAgeSeconds * 3) / 16;
  }

  /** What others have cosigned, as far as the relay tells. */
  async #look(): Promise<void> {
    const { api, ports, directory, ledger, pullDirectory } = this.#options;
    const { primitives } = ports;
    for (const note of await api.readCosigned()) {
      const shown = this.#signedByRelay(note);
      if (shown === null) continue;
      if (shown.size > directory.size) await pullDirectory();
      await directory.compare(shown, api);
      const { state } = directory;
      try {
        const cosigned = cosignedBy(primitives, state, parseNote(note), this.#latestSeconds());
        await ledger.take(state, { note }, cosigned);
      } catch (cause) {
        if (!(cause instanceof DirectoryError)) throw cause;
        const what = 'the relay shows a cosignature that does not hold';
        throw new ClientError('relay-misbehaved', what, { cause, evidence: [note] });
      }
    }
  }

  /** `null` for a note that no cosignature counts in: of another log, or of an earlier relay. */
  #signedByRelay(note: Uint8Array): SignedCheckpoint | null {
    const { ports, directory } = this.#options;
    const { org, policy } = directory.state;
    if (policy.relayKey === undefined) return null;
    try {
      return openCheckpoint(ports.primitives, org, policy.relayKey, note);
    } catch (error) {
      if (error instanceof ClientError) return null;
      throw error;
    }
  }

  /** The relay denies what it signed: both notes, its own word of before first. */
  async #denied(checkpoint: SignedCheckpoint, cause: unknown): Promise<ClientError> {
    const shown = await this.#options.api.readCheckpoint();
    return new ClientError('relay-misbehaved', 'the relay denies a checkpoint that it has signed', {
      cause,
      evidence: [checkpoint.note, shown],
    });
  }

  /** Whether what is known is enough for some time: others are asked before it is too late, so that nobody waits. */
  get #willLast(): boolean {
    const { maxAgeSeconds = 0 } = this.#demand ?? {};
    return this.#witnessesAt(this.#nowSeconds() + maxAgeSeconds / 4).isMet;
  }

  get #demand(): { readonly needed: number; readonly maxAgeSeconds: number } | null {
    const { directory } = this.#options;
    return directory.size === 0 ? null : (directory.state.policy.witnesses ?? null);
  }

  #witnessesAt(nowSeconds: number): Witnesses {
    const { directory, ledger } = this.#options;
    if (directory.size === 0) return { needed: 0, cosigned: [], isMet: true };
    return witnessesIn(directory.state, ledger.vouched, nowSeconds);
  }

  /** Never runs backwards: a clock that was set back must not make an old word fresh. */
  #nowSeconds(): number {
    return Math.max(this.#options.ledger.newestSeconds, this.#readSeconds());
  }

  /**
   * Up to when a cosignature counts. What has counted does not carry it on: else whoever signs an hour ahead, again
   * and again, would make everybody else's word too old, for ever.
   */
  #latestSeconds(): number {
    return Math.max(this.#options.ledger.newestSeconds, this.#readSeconds() + MAX_AHEAD_MS / 1000);
  }

  #readSeconds(): number {
    const { ports, directory } = this.#options;
    const logMs = directory.size === 0 ? 0 : directory.state.timeMs;
    return Math.floor(Math.max(ports.clock.now(), logMs) / 1000);
  }

  #tell(): void {
    const { witnesses } = this;
    if (this.#wasMet === witnesses.isMet) return;
    this.#wasMet = witnesses.isMet;
    this.#options.onWitnesses(witnesses);
  }
}

/** Failures of the background that pass by themselves, or say nothing of the relay's truth. */
const PASSING: ReadonlySet<string> = new Set(['offline', 'relay-refused', 'closed']);

function isDenied(error: unknown): boolean {
  return error instanceof ClientError && error.relayReason === 'unknown-checkpoint';
}
