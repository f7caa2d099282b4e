import {
  parseEnvelopeHeader,
  parseEpochStatement,
  type DeviceId,
  type EpochStatement,
  type Primitives,
  type SealingRecord,
} from '@keytide/crypto-core';
import type { Given, Rolls } from './roll.ts';
import { signedMs } from './signed-times.ts';
import type { Wire } from './wire.ts';

/** What a device should show of a message: its content, or a reason. */
export type Showing = 'read' | 'expired-by-policy' | 'ask-an-admin' | 'sealing-key-expired' | 'removed';

/** How late it is for one device, by what counts there of what is over, and how much of the membership log it has. */
export interface Standing {
  readonly device: DeviceId;
  readonly nowMs: number;
  /** How late it is for its sealing secrets, which go by the clock on every device. */
  readonly trustedMs: number;
  readonly membershipSize: number;
}

/** What a device goes by: what its own clock has shown, and did when the relay agreed; and how much of the logs it has. */
export interface Knowledge {
  readonly device: DeviceId;
  readonly shownMs: number;
  readonly agreedMs: number;
  readonly membershipSize: number;
  readonly epoch: number;
}

interface Epoch {
  readonly statement: EpochStatement;
  readonly recipients: ReadonlySet<DeviceId>;
  readonly boxed: ReadonlySet<DeviceId>;
}

/** What an entry of the group's log is; `during` is the newest epoch when it came. */
type Entry =
  | { readonly kind: 'statement' }
  | { readonly kind: 'message'; readonly epoch: number; readonly during: number; readonly sender: DeviceId };

/** Which epochs' keys a device should have: what it was sealed, but for what it has deleted, and what it was given. */
interface Holding {
  deletedThrough: number;
  /** Up to which epoch it has looked for its boxes, and those that it could not open any more. */
  lookedThrough: number;
  readonly unopened: Set<number>;
  readonly given: Set<number>;
}

/**
 * Who may read what, by docs/spec and by what passed on the wire; no line of this is the client's. Where it and a
 * client disagree, one of them is wrong.
 */
export class Ledger {
  /** Where what passed on the wire is not what docs/spec says. */
  readonly problems: string[] = [];
  readonly #primitives: Primitives;
  readonly #wire: Wire;
  readonly #rolls: Rolls;
  readonly #epochs: Epoch[] = [];
  readonly #log: Entry[] = [];
  readonly #holdings = new Map<DeviceId, Holding>();
  /** Grants that their device has not taken yet, with the epochs that are in them. */
  readonly #underWay: { readonly grant: Given; readonly epochs: readonly number[] }[] = [];
  #grants = 0;

  constructor(primitives: Primitives, wire: Wire, rolls: Rolls) {
    this.#primitives = primitives;
    this.#wire = wire;
    this.#rolls = rolls;
  }

  /** How many entries the group's log has. */
  get size(): number {
    return this.#log.length;
  }

  get newestEpoch(): number {
    return this.#epochs.length;
  }

  /** The places of messages in the group's log, from 1. */
  get messages(): readonly number[] {
    return this.#log.flatMap(({ kind }, i) => (kind === 'message' ? [i + 1] : []));
  }

  /** How many messages of a device the group's log has. */
  sentBy(device: DeviceId): number {
    return this.#log.filter((entry) => entry.kind === 'message' && entry.sender === device).length;
  }

  /** What time decides there: what was signed, and its own clock; of an admin's only what the relay agreed to. */
  standing(knowledge: Knowledge): Standing {
    const { device, shownMs, agreedMs, membershipSize } = knowledge;
    const statements = this.#epochs.map(({ statement }) => statement);
    const atLeastMs = signedMs(this.#rolls, knowledge, statements);
    const trustedMs = Math.max(shownMs, atLeastMs);
    const nowMs = this.#isAdmin(device, membershipSize) ? Math.max(agreedMs, atLeastMs) : trustedMs;
    return { device, nowMs, trustedMs, membershipSize };
  }

  /** Takes in what has passed since; grants with `takes`. */
  read(idOf: (name: string) => DeviceId): void {
    this.#rolls.read(this.#wire.membership);
    const { group } = this.#wire;
    for (let entry = group[this.size]; entry !== undefined; entry = group[this.size]) {
      const { kind, bytes } = entry;
      if (kind === 'statement') {
        this.#announced(bytes);
        this.#log.push({ kind });
      } else {
        const { epoch } = parseEnvelopeHeader(bytes);
        const sender = idOf(this.#wire.senderOf(bytes));
        this.#log.push({ kind: 'message', epoch, during: this.#epochs.length, sender });
      }
    }
  }

  /** What is due by then, of what docs/spec/access.md lets an admin's device give: entitled to, and held. */
  #granted(grant: Given, nowMs: number): void {
    const { device, author, first, last, index } = grant;
    const epochs = this.#epochs
      .filter(({ statement }) => statement.epoch >= first && statement.epoch <= last)
      .filter(({ statement }) =>
        this.#isEntitled({ device, nowMs, trustedMs: nowMs, membershipSize: index }, statement),
      )
      .map(({ statement }) => statement.epoch)
      // Also what it was given itself a moment ago.
      .filter((epoch) => this.holds(author, epoch) || this.#isOnItsWay(author, epoch));
    this.#underWay.push({ grant, epochs });
  }

  #isOnItsWay(to: DeviceId, epoch: number): boolean {
    return this.#underWay.some(({ grant, epochs }) => grant.device === to && epochs.includes(epoch));
  }

  /**
   * These devices were in step with the relay: they have opened their boxes, and taken what they were given by whoever
   * is an admin still. Answers those who were.
   */
  takes(present: readonly Standing[], nowMs: number): readonly DeviceId[] {
    for (const standing of present) this.#looks(standing);
    for (const grant of this.#rolls.grants.slice(this.#grants)) this.#granted(grant, nowMs);
    this.#grants = this.#rolls.grants.length;
    return present.flatMap(({ device }) => (this.#isGiven(device) ? [device] : []));
  }

  #isGiven(device: DeviceId): boolean {
    const { active, roles } = this.#rolls.newest;
    let isGiven = false;
    for (const gift of this.#underWay.splice(0)) {
      const giver = active.get(gift.grant.author);
      if (gift.grant.device !== device) this.#underWay.push(gift);
      else if (giver !== undefined && roles.get(giver) === 'admin') {
        for (const epoch of gift.epochs) this.#holdingOf(device).given.add(epoch);
        isGiven = true;
      }
    }
    return isGiven;
  }

  /** The epochs that a device lacks and may be given. */
  mayAskFor(standing: Standing): readonly { readonly epoch: number; readonly wasRecipient: boolean }[] {
    return this.#epochs
      .filter(({ statement }) => this.#isEntitled(standing, statement))
      .filter(({ statement }) => !this.holds(standing.device, statement.epoch))
      .map(({ statement, recipients }) => ({
        epoch: statement.epoch,
        wasRecipient: recipients.has(standing.device),
      }));
  }

  /** A device was awake at this time: what is over is deleted for good. */
  wakes(standing: Standing): void {
    const holding = this.#holdingOf(standing.device);
    for (const { statement } of this.#epochs) {
      if (!this.#isOver(standing, statement)) break;
      holding.deletedThrough = Math.max(holding.deletedThrough, statement.epoch);
      holding.given.delete(statement.epoch);
    }
  }

  holds(device: DeviceId, epoch: number): boolean {
    const { boxed } = this.#epochs[epoch - 1] as Epoch;
    const { deletedThrough, given, unopened } = this.#holdingOf(device);
    return given.has(epoch) || (boxed.has(device) && epoch > deletedThrough && !unopened.has(epoch));
  }

  /** What a device should show of the message at `seq`, having all of the group's log up to there. */
  showing(standing: Standing, seq: number): Showing {
    const entry = this.#log[seq - 1];
    if (entry?.kind !== 'message') throw new Error(`no message at ${seq}`);
    const { statement, recipients } = this.#epochs[entry.epoch - 1] as Epoch;
    if (this.#isOver(standing, statement)) return 'expired-by-policy';
    if (!this.holds(standing.device, entry.epoch))
      return recipients.has(standing.device) ? 'sealing-key-expired' : 'ask-an-admin';
    const current = this.#epochs[entry.during - 1] as Epoch;
    return current.recipients.has(entry.sender) ? 'read' : 'removed';
  }

  /** docs/spec/keys-and-sealing.md: a secret is gone once X has passed since the block in which its key begins. */
  #looks({ device, trustedMs }: Standing): void {
    const holding = this.#holdingOf(device);
    for (const { statement } of this.#epochs.slice(holding.lookedThrough)) {
      const { blockSeconds, retentionSeconds } = this.#rolls.at(statement.checkpoint.size).policy;
      const blockMs = 1000 * blockSeconds;
      const begun = this.#rolls.firstKeys.has(device) ? this.#sealedTo(device, statement).notBeforeMs : 0;
      const blockEndMs = (Math.floor(begun / blockMs) + 1) * blockMs;
      const isGone = statement.author !== device && trustedMs >= blockEndMs + 1000 * retentionSeconds;
      if (isGone) holding.unopened.add(statement.epoch);
      holding.lookedThrough = statement.epoch;
    }
  }

  #holdingOf(device: DeviceId): Holding {
    const holding = this.#holdings.get(device) ?? {
      deletedThrough: 0,
      lookedThrough: 0,
      unopened: new Set<number>(),
      given: new Set<number>(),
    };
    this.#holdings.set(device, holding);
    return holding;
  }

  /** docs/spec/access.md: within the window, and of a log in which the member was already in, and not yet wiped since. */
  #isEntitled(standing: Standing, statement: EpochStatement): boolean {
    const member = this.#rolls.owners.get(standing.device);
    const since = member === undefined ? Infinity : (this.#rolls.entitledSince.get(member) ?? Infinity);
    return statement.checkpoint.size > since && !this.#isOver(standing, statement);
  }

  /** Whether a block has ended longer ago than X, or Y for an admin. */
  #isOver({ device, nowMs, membershipSize }: Standing, { blockEndMs }: EpochStatement): boolean {
    const { exportSeconds, retentionSeconds } = this.#rolls.at(membershipSize).policy;
    const windowSeconds = this.#isAdmin(device, membershipSize) ? exportSeconds : retentionSeconds;
    return nowMs >= blockEndMs + 1000 * windowSeconds;
  }

  #isAdmin(device: DeviceId, membershipSize: number): boolean {
    const member = this.#rolls.owners.get(device);
    return member !== undefined && this.#rolls.at(membershipSize).roles.get(member) === 'admin';
  }

  #announced(bytes: Uint8Array): void {
    const statement = parseEpochStatement(this.#primitives, bytes);
    const { active } = this.#rolls.at(statement.checkpoint.size);
    const recipients = new Set(active.keys());
    const boxed = new Set([...recipients].filter((device) => !this.#wasSilent(device, statement)));
    const handedIn = this.#wire.boxedIn(bytes);
    const isSame = handedIn.length === boxed.size && handedIn.every((device) => boxed.has(device));
    if (!isSame)
      this.problems.push(`epoch ${statement.epoch} has ${handedIn.length} boxes, not ${boxed.size}`);
    this.#epochs.push({ statement, recipients, boxed });
  }

  /** docs/spec/keys-and-sealing.md: the newest key that has started, and the grace after it. */
  #wasSilent(device: DeviceId, { createdMs, checkpoint, author }: EpochStatement): boolean {
    if (device === author) return false;
    const { policy } = this.#rolls.at(checkpoint.size);
    const { notAfterMs } = this.#sealedTo(device, { createdMs });
    return createdMs >= notAfterMs + 1000 * (policy.silenceSeconds ?? policy.blockSeconds);
  }

  #sealedTo(device: DeviceId, { createdMs }: Pick<EpochStatement, 'createdMs'>): SealingRecord {
    let newest = this.#rolls.firstKeys.get(device) as SealingRecord;
    for (const record of this.#wire.sealing)
      if (record.device === device && record.notBeforeMs <= createdMs) newest = record;
    return newest;
  }
}
