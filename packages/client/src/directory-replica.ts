import {
  appendLeaf,
  decodeCbor,
  encodeCbor,
  EMPTY_FRONTIER,
  equalBytes,
  leafHash,
  rootOf,
  type KeyStore,
  type KeyStoreChange,
  type MerkleFrontier,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import {
  type Checkpoint,
  DirectoryError,
  type DirectoryState,
  parseEntry,
  replay,
  replayKnown,
} from '@keytide/key-directory';
import { CheckpointKeeper, type OwnLog } from './checkpoint-keeper.ts';
import { ClientError } from './errors.ts';
import { passes } from './failure.ts';
import type { Journal } from './journal.ts';
import type { LogSource } from './log-source.ts';
import { isSameCheckpoint, openCheckpoint, type SignedCheckpoint } from './signed-checkpoint.ts';

interface DirectoryReplicaOptions {
  readonly primitives: Primitives;
  readonly journal: Journal;
  readonly keyStore: KeyStore;
  /** The organisation whose log this must be. */
  readonly org: OrgId;
  /** Waits about so long, or until `signal`, before the next attempt to give back what the relay has lost. Default: not at all. */
  readonly rest?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Entries that continue the log, and what it is with them. */
interface Judged {
  readonly state: DirectoryState;
  readonly frontier: MerkleFrontier;
  readonly roots: readonly Uint8Array[];
  readonly wires: readonly Uint8Array[];
}

const CHECKPOINT = 'checkpoint';
/** How often a log may grow between reading it and reading its checkpoint. */
const ATTEMPTS = 8;
/** How often what a relay has lost is given back to it, where others are first each time, and the pauses between. */
const GIVE_BACK = { attempts: 12, firstMs: 100, mostMs: 2_000 };

/**
 * The change that makes a log pass through `checkpoint` before it is believed: for a join, in one write with the
 * rest. `null` for no demand.
 */
export function anchorChange(checkpoint: Checkpoint | null): KeyStoreChange {
  const value = checkpoint === null ? null : encodeCbor([checkpoint.size, checkpoint.root]);
  return { name: CHECKPOINT, value };
}

/**
 * This device's verified copy of the membership log. Every entry is replayed by the rules; what the relay
 * says counts for nothing.
 */
export class DirectoryReplica {
  readonly #primitives: Primitives;
  readonly #journal: Journal;
  readonly #keyStore: KeyStore;
  readonly #org: OrgId;
  readonly #keeper: CheckpointKeeper;
  readonly #rest: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** The newest checkpoint that this device knows to be true. */
  #anchor: Checkpoint | null = null;
  readonly #wires: Uint8Array[] = [];
  /** Root of the log at each size; index 0 is the empty log. */
  readonly #roots: Uint8Array[];
  #frontier: MerkleFrontier = EMPTY_FRONTIER;
  #state: DirectoryState | null = null;
  #past: DirectoryState | null = null;
  /** Told after each growth, once it is stored. */
  onGrown: () => void = () => {};

  private constructor(
    { primitives, journal, keyStore, org, rest = async () => {} }: DirectoryReplicaOptions,
    keeper: CheckpointKeeper,
  ) {
    this.#primitives = primitives;
    this.#journal = journal;
    this.#keyStore = keyStore;
    this.#org = org;
    this.#keeper = keeper;
    this.#rest = rest;
    this.#roots = [rootOf(primitives, this.#frontier)];
  }

  /** Replays what the journal holds. @throws ClientError `store-damaged` */
  static async open(options: DirectoryReplicaOptions): Promise<DirectoryReplica> {
    const replica = new DirectoryReplica(options, await CheckpointKeeper.open(options));
    const stored = await options.keyStore.get(CHECKPOINT);
    if (stored !== null) {
      const [size, root] = decodeCbor(stored, 64) as [number, Uint8Array];
      replica.#anchor = { size, root };
    }
    try {
      replica.#takeStored(await options.journal.read(0));
    } catch (cause) {
      throw new ClientError('store-damaged', 'the stored membership log does not verify', { cause });
    }
    return replica;
  }

  /** The organisation as of the newest entry. @throws ClientError `no-organisation` */
  get state(): DirectoryState {
    if (this.#state === null) throw new ClientError('no-organisation', 'no membership log yet');
    return this.#state;
  }

  get size(): number {
    return this.#wires.length;
  }

  /** The newest checkpoint that the relay signed and that this copy bears out; `null` before the first. */
  get checkpoint(): SignedCheckpoint | null {
    return this.#keeper.newest;
  }

  /** Whether this copy holds exactly this entry. */
  has(wire: Uint8Array): boolean {
    // Newest first: who asks has just handed it in.
    for (let index = this.#wires.length - 1; index >= 0; index -= 1)
      if (equalBytes(this.#wires[index] as Uint8Array, wire)) return true;
    return false;
  }

  /** The entries from index `start` on, up to index `end`, as they travelled. */
  wires(start: number, end?: number): readonly Uint8Array[] {
    return this.#wires.slice(start, end);
  }

  /** The log's root at `size`, or `null` when this copy is shorter. */
  rootAt(size: number): Uint8Array | null {
    return this.#roots[size] ?? null;
  }

  /** The organisation as of the first `size` entries. Cheap when sizes are asked for in growing order. */
  stateAt(size: number): DirectoryState {
    if (size === this.size) return this.state;
    const from = this.#past !== null && this.#past.size <= size ? this.#past : null;
    const wires = this.#wires.slice(from?.size ?? 0, size);
    this.#past = replayKnown(this.#primitives, wires, this.#roots[size] as Uint8Array, from);
    return this.#past;
  }

  /**
   * Takes entries that continue the log; nothing is stored unless all of them hold.
   * @throws DirectoryError for the first entry that the rules refuse; ClientError `relay-forked` for another
   *   organisation's log, or one that leaves out the checkpoint this device knows; `store-damaged` after a
   *   write that failed half-way
   */
  async append(wires: readonly Uint8Array[]): Promise<void> {
    if (wires.length === 0) return;
    const judged = this.#judge(wires);
    if (this.#journal.length !== this.size)
      throw new ClientError('store-damaged', 'an earlier write to the membership journal failed');
    await this.#journal.append(wires);
    await this.#journal.flush();
    this.#take(judged);
    if (this.size >= (this.#anchor?.size ?? 0)) {
      this.#anchor = { size: this.size, root: this.rootAt(this.size) as Uint8Array };
      await this.#keyStore.write([anchorChange(this.#anchor)]);
    }
    this.onGrown();
  }

  /**
   * Reads from the relay until this copy holds everything the relay has; then the relay must have signed exactly
   * this, where the policy names its key.
   * @throws ClientError `relay-forked` when the relay's log is not a continuation of this copy, or not the one it
   *   signed; `relay-misbehaved` when the relay has signed less, more, or nothing; `update-needed`, with all that comes
   *   before taken, when the log has something newer than this build; `closed` when `signal` ends a pause
   */
  async pull(source: LogSource, signal?: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await this.#read(source, signal);
      const { relayKey } = this.state.policy;
      if (relayKey === undefined) return;
      const shown = await this.#keeper.read(source, relayKey);
      if (shown.size <= this.size || attempt === ATTEMPTS)
        return await this.#keeper.check(shown, this.#asLog, source);
    }
  }

  /** Makes sure that this copy, just pulled, passes through a checkpoint. @throws ClientError `relay-forked` */
  requirePasses({ size, root }: Checkpoint): void {
    const own = this.rootAt(size);
    if (own === null) throw olderLog(this.#wires);
    if (!equalBytes(own, root)) throw anotherLog(this.#wires);
  }

  /**
   * Compares a checkpoint of any age with this copy.
   * @throws ClientError `relay-misbehaved` for one of a longer log; `relay-forked` for one of another
   */
  compare(shown: SignedCheckpoint, source: LogSource): Promise<void> {
    return this.#keeper.compare(shown, this.#asLog, source);
  }

  /**
   * Makes sure that a checkpoint which came with some answer says what `own` says, which this copy bears out.
   * @throws ClientError `relay-forked` when it contradicts this copy, as `pull`; otherwise `relay-misbehaved`
   */
  async requireSame(own: SignedCheckpoint, note: Uint8Array, source: LogSource): Promise<void> {
    const shown = openCheckpoint(this.#primitives, this.#org, own.key.publicKey, note);
    if (isSameCheckpoint(shown, own)) return;
    await this.#keeper.check(shown, this.#asLog, source);
    throw new ClientError(
      'relay-misbehaved',
      'the relay answers under another checkpoint than it was asked for',
      {
        evidence: [own.note, note],
      },
    );
  }

  async #read(source: LogSource, signal?: AbortSignal): Promise<void> {
    let givenFrom = -1;
    let attempts = 0;
    for (;;) {
      const { entries, size } = await source.readLog(this.size);
      // Others may give back the same: as long as the log grows by it, it is gone on with, so often.
      if (size < this.size && size > givenFrom) {
        if (attempts === GIVE_BACK.attempts)
          throw new ClientError('relay-misbehaved', 'the relay does not come to have back what it has lost');
        const isTaken = await this.#giveBack(source, size);
        if (!isTaken) await this.#rest(Math.min(GIVE_BACK.firstMs * 2 ** attempts, GIVE_BACK.mostMs), signal);
        if (signal?.aborted === true) throw new ClientError('closed', 'the client was closed');
        givenFrom = size;
        attempts += 1;
        continue;
      }
      try {
        if (size < this.size) throw olderLog(this.#wires);
        await this.#appendKnown(entries);
        if (this.size >= size) return this.#assertComplete();
      } catch (error) {
        const failure = forkOf(error, this.#wires);
        throw failure === null ? error : await this.#keeper.proven(failure, this.#asLog, entries, source);
      }
      if (entries.length === 0) {
        throw new ClientError('relay-misbehaved', 'the relay withholds membership entries it says it has');
      }
    }
  }

  /**
   * What comes before something newer than this build counts: it may remove somebody, or wipe this device.
   * @throws ClientError `update-needed`; as `append`
   */
  async #appendKnown(wires: readonly Uint8Array[]): Promise<void> {
    try {
      await this.append(wires);
    } catch (cause) {
      if (!isNewer(cause)) throw cause;
      const known = wires.findIndex((wire) => !isKnown(this.#primitives, wire));
      await this.append(wires.slice(0, Math.max(0, known)));
      throw new ClientError('update-needed', 'the organisation uses something newer than this app', {
        cause,
      });
    }
  }

  /**
   * Hands in again what the relay shows no more: one that was put back from a backup has it afterwards, as it was,
   * for entries prove themselves. What it does not take, it has not; what then follows is as ever. Answers whether it
   * has taken all of it.
   */
  async #giveBack(source: LogSource, from: number): Promise<boolean> {
    for (const wire of this.#wires.slice(from)) {
      try {
        await source.appendLog(wire);
      } catch (error) {
        if (error instanceof ClientError && error.code === 'relay-refused' && !passes(error)) return false;
        throw error;
      }
    }
    return true;
  }

  get #asLog(): OwnLog {
    return { wires: this.#wires, state: this.#state, rootAt: (size) => this.rootAt(size) };
  }

  /** @throws ClientError `relay-forked` when the whole log is shorter than it once was */
  #assertComplete(): void {
    if (this.size >= (this.#anchor?.size ?? 0)) return;
    throw olderLog(this.#wires);
  }

  /**
   * What the journal holds was judged before it went there. As far as the key store bears that out, by the root
   * of then, signatures are not checked again.
   */
  #takeStored(wires: readonly Uint8Array[]): void {
    const anchor = this.#anchor;
    const known = anchor === null || anchor.size > wires.length ? 0 : anchor.size;
    if (anchor !== null && known > 0) {
      const stored = wires.slice(0, known);
      this.#take(this.#follow(replayKnown(this.#primitives, stored, anchor.root), stored));
    }
    if (wires.length > known) this.#take(this.#judge(wires.slice(known)));
  }

  /**
   * All or nothing: the log must be the organisation's own, and contain the checkpoint where it reaches that far.
   * @throws DirectoryError, ClientError `relay-forked`
   */
  #judge(wires: readonly Uint8Array[]): Judged {
    return this.#follow(replay(this.#primitives, wires, this.#state), wires);
  }

  /** @throws ClientError `relay-forked` */
  #follow(state: DirectoryState, wires: readonly Uint8Array[]): Judged {
    let frontier = this.#frontier;
    const roots: Uint8Array[] = [];
    for (const wire of wires) {
      frontier = appendLeaf(this.#primitives, frontier, leafHash(this.#primitives, wire));
      roots.push(rootOf(this.#primitives, frontier));
    }
    const anchor = this.#anchor;
    const root = anchor === null ? undefined : roots[anchor.size - this.size - 1];
    if (state.org !== this.#org || (root !== undefined && !equalBytes(root, anchor?.root as Uint8Array))) {
      throw anotherLog([...this.#wires, ...wires]);
    }
    return { state, frontier, roots, wires };
  }

  #take({ state, frontier, roots, wires }: Judged): void {
    this.#state = state;
    this.#frontier = frontier;
    for (const root of roots) this.#roots.push(root);
    for (const wire of wires) this.#wires.push(wire);
  }
}

/** What the relay shows is shorter than what it has shown before. */
function olderLog(wires: readonly Uint8Array[]): ClientError {
  return new ClientError(
    'relay-forked',
    'the relay shows an older membership log than this device has seen',
    {
      evidence: wires.slice(-1),
    },
  );
}

function anotherLog(wires: readonly Uint8Array[]): ClientError {
  return new ClientError('relay-forked', 'the membership log is not the one this device was given', {
    evidence: wires.slice(0, 1),
  });
}

function isNewer(error: unknown): boolean {
  return error instanceof DirectoryError && error.code === 'unsupported-version';
}

function isKnown(primitives: Primitives, wire: Uint8Array): boolean {
  try {
    parseEntry(primitives, wire);
    return true;
  } catch (error) {
    return !isNewer(error);
  }
}

/** What failed, as the relay's doing; `null` when it is not. `wires`: what was true before. */
function forkOf(cause: unknown, wires: readonly Uint8Array[]): ClientError | null {
  if (cause instanceof ClientError) return cause.code === 'relay-forked' ? cause : null;
  if (!(cause instanceof DirectoryError)) return null;
  return new ClientError('relay-forked', 'the relay shows a membership log that does not follow the rules', {
    cause,
    evidence: [...wires.slice(-1), ...cause.evidence],
  });
}
