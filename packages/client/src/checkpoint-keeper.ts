import {
  decodeCbor,
  encodeCbor,
  equalBytes,
  type KeyStore,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { forkEvidence } from './fork-evidence.ts';
import type { LogSource } from './log-source.ts';
import { OwnMap } from './own-map.ts';
import { isSameCheckpoint, openCheckpoint, type SignedCheckpoint } from './signed-checkpoint.ts';

interface CheckpointKeeperOptions {
  readonly primitives: Primitives;
  readonly keyStore: KeyStore;
  readonly org: OrgId;
}

/** This device's own copy of the log, replayed by the rules. */
export interface OwnLog {
  readonly wires: readonly Uint8Array[];
  /** `null` before the first entry. */
  readonly state: DirectoryState | null;
  rootAt(size: number): Uint8Array | null;
}

const NEWEST = 'log-checkpoint';
const MAX_BYTES = 256 * 1024;

/**
 * Holds the relay to what it signs: checks each checkpoint against this device's own copy of the log, keeps the
 * newest one that held, and makes evidence of one that does not.
 */
export class CheckpointKeeper {
  readonly #options: CheckpointKeeperOptions;
  readonly #map: OwnMap;
  #kept: SignedCheckpoint | null = null;

  private constructor(options: CheckpointKeeperOptions) {
    this.#options = options;
    this.#map = new OwnMap(options.primitives);
  }

  /** Loads the checkpoint kept before. @throws ClientError `store-damaged` */
  static async open(options: CheckpointKeeperOptions): Promise<CheckpointKeeper> {
    const keeper = new CheckpointKeeper(options);
    const stored = await options.keyStore.get(NEWEST);
    if (stored === null) return keeper;
    try {
      const [relayKey, note] = decodeCbor(stored, MAX_BYTES) as [Uint8Array, Uint8Array];
      keeper.#kept = openCheckpoint(options.primitives, options.org, relayKey, note);
    } catch (cause) {
      throw new ClientError('store-damaged', 'the stored checkpoint is not one', { cause });
    }
    return keeper;
  }

  /** The newest checkpoint that the relay signed and that this device found true. */
  get newest(): SignedCheckpoint | null {
    return this.#kept;
  }

  /** What the relay shows now. @throws ClientError `relay-misbehaved` unless the key of the policy signed it */
  async read(source: LogSource, relayKey: Uint8Array): Promise<SignedCheckpoint> {
    const { primitives, org } = this.#options;
    let note: Uint8Array;
    try {
      note = await source.readCheckpoint();
    } catch (cause) {
      if (!(cause instanceof ClientError) || cause.relayCode !== 'not-found') throw cause;
      throw new ClientError('relay-misbehaved', 'the relay has a key and shows no checkpoint', { cause });
    }
    return openCheckpoint(primitives, org, relayKey, note);
  }

  /**
   * Compares what the relay shows with this device's log, and keeps it.
   * @throws ClientError `relay-misbehaved` when it is of a longer log than the relay handed out, or of a shorter
   *   one; `relay-forked` when it is of another log, the proof first in its evidence where there is one
   */
  async check(shown: SignedCheckpoint, log: OwnLog, source: LogSource): Promise<void> {
    if (this.#kept !== null && isSameCheckpoint(this.#kept, shown) && shown.size === log.wires.length) return;
    await this.compare(shown, log, source);
    if (shown.size < log.wires.length) {
      throw new ClientError('relay-misbehaved', 'the relay shows a checkpoint that is out of date', {
        evidence: this.#notes(shown),
      });
    }
    if (shown.mapRoot === null)
      throw new ClientError('relay-misbehaved', 'the relay shows a checkpoint without the map');
    if (!equalBytes(await this.#map.rootOf(log.state as DirectoryState), shown.mapRoot))
      throw await this.#forked('map', shown, log, source);
    const value = encodeCbor([shown.key.publicKey, shown.note]);
    await this.#options.keyStore.write([{ name: NEWEST, value }]);
    this.#kept = shown;
  }

  /**
   * Compares one of any age with this device's log, the tree alone; keeps nothing.
   * @throws ClientError `relay-misbehaved` for one of a longer log; `relay-forked` for one of another
   */
  async compare(shown: SignedCheckpoint, log: OwnLog, source: LogSource): Promise<void> {
    const root = log.rootAt(shown.size);
    if (root === null)
      throw new ClientError('relay-misbehaved', 'the relay withholds membership entries it has signed');
    if (!equalBytes(root, shown.root)) throw await this.#forked('log', shown, log, source);
  }

  /**
   * The same failure with the proof of it first in its evidence, where the relay signed what makes one; `more`:
   * the entries that it shows after those of `log`.
   */
  async proven(
    failure: ClientError,
    log: OwnLog,
    more: readonly Uint8Array[],
    source: LogSource,
  ): Promise<ClientError> {
    const relayKey = log.state?.policy.relayKey ?? this.#kept?.key.publicKey;
    if (relayKey === undefined) return failure;
    try {
      const shown = await this.read(source, relayKey);
      const proof = await this.#prove(shown, log, more, source);
      if (proof !== null) return withEvidence(failure, [proof]);
      // Not a contradiction by itself: but with both, whoever is shown the older one knows that there is a newer.
      const isOlder = this.#kept !== null && shown.size < this.#kept.size;
      return isOlder ? withEvidence(failure, this.#notes(shown)) : failure;
    } catch (error) {
      if (error instanceof ClientError) return failure;
      throw error;
    }
  }

  async #forked(
    what: 'log' | 'map',
    shown: SignedCheckpoint,
    log: OwnLog,
    source: LogSource,
  ): Promise<ClientError> {
    const proof = await this.#prove(shown, log, [], source);
    return new ClientError('relay-forked', `the relay has signed another ${what} than it shows`, {
      evidence: proof === null ? [...this.#notes(shown), ...log.wires] : [proof],
    });
  }

  #prove(
    shown: SignedCheckpoint,
    { wires: own, state }: OwnLog,
    more: readonly Uint8Array[],
    source: LogSource,
  ): Promise<Uint8Array | null> {
    const { primitives } = this.#options;
    return forkEvidence({ primitives, source, kept: this.#kept, shown, own, state, more });
  }

  /** Both notes, the one that was true before first. */
  #notes(shown: SignedCheckpoint): Uint8Array[] {
    return this.#kept === null ? [shown.note] : [this.#kept.note, shown.note];
  }
}

function withEvidence(error: ClientError, first: readonly Uint8Array[]): ClientError {
  return new ClientError(error.code, error.message, {
    ...(error.cause === undefined ? {} : { cause: error.cause }),
    evidence: [...first, ...error.evidence],
  });
}
