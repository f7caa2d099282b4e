import {
  acceptMessage,
  appendLeaf,
  compareClosing,
  CryptoError,
  EMPTY_FRONTIER,
  EMPTY_WINDOW,
  leafHash,
  nextWindow,
  rootOf,
  settleRun,
  sorted,
  type Closing,
  type ClosingDifference,
  type DeviceId,
  type EpochKeys,
  type EpochStatement,
  type GroupId,
  type HeldLog,
  type MerkleFrontier,
  type MissingMessages,
  type Noted,
  type OpenedMessage,
  type Primitives,
  type SenderHead,
  type Unvouched,
} from '@keytide/crypto-core';
import type { Role } from '@keytide/key-directory';
import { encodeGroupEntry, type GroupEntry } from '@keytide/relay-protocol';
import type { EpochRing, EpochSource } from './epoch-ring.ts';
import type { LogFloor, LogRecord } from './entry.ts';
import { examineEnvelopes, type Examined } from './examine.ts';
import { frontierOf } from './log-floor.ts';

/** Why an entry of the group's log shows nothing, in a code a person can act on (docs/spec/errors.md). */
export type UnreadableCode =
  | 'expired-by-policy' // the retention window is over, and its key is gone
  | 'ask-an-admin' // written before this device was a recipient
  | 'sealing-key-expired' // this device had let its sealing keys run out when the epoch was made
  | 'key-not-yet-arrived' // this device is a recipient, and the relay has not given its box
  | 'device-not-certified' // the sender is not a recipient of the epoch
  | 'removed' // the sender had been removed by then
  | 'tampered' // altered, forged, or not of this group
  | 'replayed'
  | 'out-of-order'
  | 'chain-broken'
  | 'invalid'; // authentic, and against the application's rules

/** What one entry of the group's log turned out to be. */
export type Outcome =
  | {
      readonly kind: 'message';
      readonly seq: number;
      /** The epoch in which it was written. */
      readonly epoch: number;
      readonly message: OpenedMessage;
      /** What the sender's member was at the checkpoint of the newest epoch before it in the log (ADR 25). */
      readonly role: Role;
      /** Where time ends for what is written here: a block after the end of the epoch's own. */
      readonly endMs: number;
      readonly missing: readonly Missing[];
      readonly divergence: Divergence | null;
    }
  | {
      readonly kind: 'epoch';
      readonly seq: number;
      readonly epoch: number;
      readonly author: DeviceId;
      readonly missing: readonly Missing[];
      readonly divergence: Divergence | null;
    }
  | {
      readonly kind: 'unreadable';
      readonly seq: number;
      /** The epoch that it names; `null` where it names none. */
      readonly epoch: number | null;
      readonly code: UnreadableCode;
    }
  | {
      /** Everything from `seq` on is over by the policy, and gone: this device was not given it. */
      readonly kind: 'forgotten';
      readonly seq: number;
      readonly throughSeq: number;
      /** That of the newest statement in it. */
      readonly epoch: number;
      readonly divergence: Divergence | null;
    };

/** Counters of one sender that this device was never given. */
export type Missing = MissingMessages;

/** Proof that the relay gave this device another log of the group than it gave a sender. */
export interface Divergence {
  readonly device: DeviceId;
  /** The envelope or statement in which that device signed what it had been given. */
  readonly evidence: Uint8Array;
}

const ROOTS_KEPT = 8192;

/** What held when a message came, for the case that its sender vouches for it only later. */
interface Arrival {
  readonly seq: number;
  readonly epoch: number;
  readonly envelope: Uint8Array;
  /** The sender's; `null` when it is not a recipient of the newest epoch. */
  readonly role: Role | null;
  /** How many envelopes before it had no key here. */
  readonly keyless: number;
  readonly endMs: number;
}

/**
 * This device's copy of one group's log: decides for each entry, in the log's order, what it is.
 * Replicas that are given the same entries decide alike.
 */
export class GroupReplica {
  readonly #primitives: Primitives;
  readonly #group: GroupId;
  readonly #epochs: EpochRing;
  #heads = new Map<DeviceId, SenderHead>();
  #floor: LogFloor | null = null;
  #frontiers: { first: number; list: MerkleFrontier[] } = { first: 0, list: [EMPTY_FRONTIER] };
  /** How many records of the journal were decided. */
  #records = 0;
  /** How many entries so far had no key, or were forgotten: a sender whose head is not known, or older than they are, may have sent them. */
  #keyless = 0;
  /** The same, when each sender's newest message came. */
  #keylessAt = new Map<DeviceId, number>();
  #window = EMPTY_WINDOW;
  /** The last counter of each sender, as the newest epoch's author saw it. */
  #closed: ReadonlyMap<DeviceId, number> = new Map();
  /** Refused for their signatures, in this window of the log: a later message can still vouch for them. */
  #unvouched = new Map<DeviceId, Unvouched<Arrival>>();

  constructor(primitives: Primitives, group: GroupId, epochs: EpochRing) {
    this.#primitives = primitives;
    this.#group = group;
    this.#epochs = epochs;
  }

  /**
   * A replica that has decided nothing yet, of the same group: to decide the log anew, as where keys have come. It asks
   * `source`, where that is given, in place of the relay.
   */
  fresh(source?: EpochSource): GroupReplica {
    return new GroupReplica(this.#primitives, this.#group, this.#epochs.fresh(source));
  }

  /** Takes the place of what was decided here: that of a fresh replica that has processed as much. */
  become(fresh: GroupReplica): void {
    this.#epochs.become(fresh.#epochs);
    this.#heads = fresh.#heads;
    this.#floor = fresh.#floor;
    this.#frontiers = fresh.#frontiers;
    this.#records = fresh.#records;
    this.#keyless = fresh.#keyless;
    this.#keylessAt = fresh.#keylessAt;
    this.#window = fresh.#window;
    this.#closed = fresh.#closed;
    this.#unvouched = fresh.#unvouched;
  }

  /** The keys to write under, of the newest epoch that was decided; `null` without. */
  get currentKeys(): EpochKeys | null {
    return this.#epochs.currentKeys;
  }

  /** How many records of the journal have been processed: entries, and floors. */
  get records(): number {
    return this.#records;
  }

  /** Where what there is of the log begins, or goes on after what was forgotten last; `null`: at its beginning. */
  get floor(): LogFloor | null {
    return this.#floor;
  }

  /** The seq of the last entry that was processed, or forgotten. */
  get size(): number {
    return this.#frontiers.first + this.#frontiers.list.length - 1;
  }

  /** The last message of this device that the log holds, or `null`. */
  headOf(device: DeviceId): SenderHead {
    return this.#heads.get(device) ?? null;
  }

  /** Every sender's last message, sorted by device, for the closing of an epoch. */
  senderHeads(): { device: DeviceId; counter: number; link: Uint8Array }[] {
    const heads = [...this.#heads].flatMap(([device, head]) => (head === null ? [] : [{ device, ...head }]));
    return sorted(heads, (a, b) => (a.device < b.device ? -1 : 1));
  }

  /** What a member says of the group's log, against what is held now (docs/spec/heartbeat.md). */
  compare(closing: Closing): ClosingDifference {
    return compareClosing(this.#held(this.size + 1), closing);
  }

  /** The log's RFC 9162 root after `size` entries; `null` when it is too long ago or not yet reached. */
  rootAt(size: number): Uint8Array | null {
    const frontier = this.#frontiers.list[size - this.#frontiers.first];
    return frontier === undefined ? null : rootOf(this.#primitives, frontier);
  }

  /**
   * Decides the next entries, a backlog at a fraction of the cost of each alone. Yields an outcome for each in
   * the log's order; before it, outcomes anew for earlier entries that were refused and are vouched for now.
   * When it throws, the first `records` of the journal are decided, and the rest can be processed again.
   * @throws ClientError `offline` when a box or membership entries must be fetched first,
   *   `relay-forked` with evidence when the entry proves that the relay shows different membership logs
   */
  async *process(entries: readonly LogRecord[]): AsyncGenerator<Outcome, void, undefined> {
    for (let start = 0; start < entries.length;) {
      const portion = this.#portionAt(entries, start);
      const envelopes = portion.flatMap((entry) => (entry.kind === 'envelope' ? [entry.bytes] : []));
      const examined = examineEnvelopes(this.#epochs, this.#group, envelopes);
      for (const [index, entry] of portion.entries()) {
        if (entry.kind === 'floor') {
          const outcome = await this.#processFloor(entry);
          this.#records += 1;
          yield outcome;
          continue;
        }
        const seq = this.size + 1;
        const window = nextWindow(this.#window, entry.bytes.length);
        if (window.entries === 1) this.#unvouched.clear();
        const outcomes =
          entry.kind === 'statement'
            ? [await this.#processStatement(seq, entry.bytes)]
            : await this.#processEnvelope(seq, entry.bytes, examined[index] as Examined);
        this.#window = window;
        this.#append(entry);
        this.#records += 1;
        yield* outcomes;
      }
      start += portion.length;
    }
  }

  /** The entries from `start` that can be examined together: envelopes of one window, or one of anything else. */
  #portionAt(entries: readonly LogRecord[], start: number): readonly LogRecord[] {
    let window = this.#window;
    let end = start;
    for (const entry of entries.slice(start)) {
      if (entry.kind !== 'envelope') {
        if (end === start) end += 1;
        break;
      }
      window = nextWindow(window, entry.bytes.length);
      if (end > start && window.entries === 1) break;
      end += 1;
    }
    return entries.slice(start, end);
  }

  /**
   * Goes on after what was forgotten. Anybody may have sent what is gone, so no gap in a sender's chain that it can
   * explain is held against the relay; what the next closing names is, from there on.
   */
  async #processFloor(floor: LogFloor): Promise<Outcome> {
    const { firstSeq, statement: wire, frontier } = floor;
    const { size } = this;
    const statement = await this.#epochs.verifyFloor(wire);
    const isOther = isOtherLog({ ...this.compare(statement.closing), missingEntries: null });
    await this.#epochs.adoptFloor(statement);
    this.#floor = floor;
    this.#frontiers = { first: firstSeq - 1, list: [frontierOf(firstSeq, frontier)] };
    this.#keyless += firstSeq - 1 - size;
    this.#closed = new Map();
    this.#window = EMPTY_WINDOW;
    this.#unvouched.clear();
    return {
      kind: 'forgotten',
      seq: size + 1,
      throughSeq: firstSeq - 1,
      epoch: statement.epoch,
      divergence: isOther ? { device: statement.author, evidence: wire } : null,
    };
  }

  async #processStatement(seq: number, wire: Uint8Array): Promise<Outcome> {
    let statement: EpochStatement;
    try {
      statement = await this.#epochs.verify(wire);
    } catch (error) {
      return refusal({ seq, epoch: null }, error);
    }
    const { closing } = statement;
    await this.#epochs.adopt(statement);
    const { epoch, author } = statement;
    const difference = compareClosing(this.#held(seq), closing);
    const { missing } = difference;
    this.#closed = new Map(closing.senders.map(({ device, counter }) => [device, counter]));
    return {
      kind: 'epoch',
      seq,
      epoch,
      author,
      missing,
      divergence: isOtherLog(difference) ? { device: author, evidence: wire } : null,
    };
  }

  async #processEnvelope(seq: number, envelope: Uint8Array, examined: Examined): Promise<Outcome[]> {
    const { epoch } = examined;
    if (examined.message === null) {
      const { reason } = examined;
      if (typeof reason !== 'string') return [refusal({ seq, epoch }, reason)];
      if (reason !== 'tampered') this.#keyless += 1;
      return [{ kind: 'unreadable', seq, epoch, code: reason }];
    }
    const { message, verdict } = examined;
    const sender = message.claimedSender;
    const role = this.#epochs.currentRoleOf(sender);
    const { endMs } = this.#epochs;
    const note: Arrival = { seq, epoch: examined.epoch, envelope, role, keyless: this.#keyless, endMs };
    const before = this.#unvouched.get(sender) ?? [];
    const { admitted, unvouched } = settleRun(before, { message, note }, verdict);
    const authentic = typeof verdict === 'string' ? admitted : [...admitted, { message: verdict, note }];
    const refused: (Outcome | null)[] = [];
    for (const arrived of authentic) refused.push(await this.#refusalOf(arrived));
    // What can fail has not: only now does anything change.
    this.#unvouched.set(sender, unvouched);
    const outcomes = authentic.map((arrived, index) => refused[index] ?? this.#continueChain(arrived));
    return typeof verdict === 'string'
      ? [...outcomes, { kind: 'unreadable', seq, epoch, code: 'tampered' }]
      : outcomes;
  }

  /** Why an authentic message counts for nothing, whatever its place in the chain; `null` when it counts. */
  async #refusalOf({ message, note }: Noted<OpenedMessage, Arrival>): Promise<Outcome | null> {
    const { seq, epoch, role } = note;
    if (role === null) return { kind: 'unreadable', seq, epoch, code: 'removed' };
    try {
      await this.#epochs.assertDirectoryClaim(message.sender, message.heads.directory, note.envelope);
      return null;
    } catch (error) {
      return refusal(note, error);
    }
  }

  #continueChain({ message, note }: Noted<OpenedMessage, Arrival>): Outcome {
    const { sender, heads } = message;
    const { seq, epoch, envelope, endMs, role } = note;
    const known = this.#heads.get(sender) ?? (note.keyless > 0 ? 'unknown' : null);
    try {
      const { head, missing } = acceptMessage(known, message);
      const unread = note.keyless - (this.#keylessAt.get(sender) ?? 0);
      this.#heads.set(sender, head);
      this.#keylessAt.set(sender, note.keyless);
      return {
        kind: 'message',
        seq,
        epoch,
        message,
        role: role as Role,
        endMs,
        missing:
          missing === null
            ? this.#missingBefore(known, message)
            : // They can be what came in between and had no key here: nobody withheld those.
              missing.to - missing.from < unread
              ? []
              : [{ device: sender, ...missing }],
        divergence: isOtherLog(compareClosing(this.#held(seq), { group: heads.group, senders: [] }))
          ? { device: sender, evidence: envelope }
          : null,
      };
    } catch (error) {
      return refusal(note, error);
    }
  }

  /**
   * What was held when the entry at `seq` came. A closing is its author's word: it reports what was withheld, and
   * never moves a sender's head. Where a device could not read everything since a sender's last message, there is
   * nothing to compare with.
   */
  #held(seq: number): HeldLog {
    return {
      size: seq - 1,
      rootAt: (size) => this.rootAt(size),
      lastCounterOf: (device) =>
        this.#keyless > (this.#keylessAt.get(device) ?? 0) ? 'unknown' : (this.headOf(device)?.counter ?? -1),
      linkOf: (device, counter) => {
        const head = this.headOf(device);
        return head?.counter === counter ? head.link : null;
      },
    };
  }

  /** What lies between the newest closing and the first message that this device can read of a sender. */
  #missingBefore(known: SenderHead | 'unknown', { sender, counter }: OpenedMessage): Missing[] {
    const closed = known === 'unknown' ? this.#closed.get(sender) : undefined;
    if (closed === undefined || counter <= closed + 1) return [];
    return [{ device: sender, from: closed + 1, to: counter - 1 }];
  }

  #append(entry: GroupEntry): void {
    const leaf = leafHash(this.#primitives, encodeGroupEntry(entry));
    const { list } = this.#frontiers;
    list.push(appendLeaf(this.#primitives, list[list.length - 1] as MerkleFrontier, leaf));
    if (list.length > 2 * ROOTS_KEPT) {
      const dropped = list.length - ROOTS_KEPT;
      this.#frontiers = { first: this.#frontiers.first + dropped, list: list.slice(dropped) };
    }
  }
}

/** Whether what a sender says it had been given of this log is not what this device was given. */
function isOtherLog({ isForked, missingEntries }: ClosingDifference): boolean {
  return isForked || missingEntries !== null;
}

function refusal({ seq, epoch }: { seq: number; epoch: number | null }, error: unknown): Outcome {
  if (!(error instanceof CryptoError)) throw error;
  return { kind: 'unreadable', seq, epoch, code: UNREADABLE[error.code] ?? 'tampered' };
}

const UNREADABLE: Partial<Record<string, UnreadableCode>> = {
  'not-a-recipient': 'device-not-certified',
  replayed: 'replayed',
  'out-of-order': 'out-of-order',
  'chain-broken': 'chain-broken',
};
