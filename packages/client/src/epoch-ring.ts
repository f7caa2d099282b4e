import {
  CryptoError,
  equalBytes,
  openEpoch,
  openEpochBox,
  parseEpochStatement,
  recipientsHash,
  Secret,
  verifyBytes,
  verifyEpochStatement,
  type Checkpoint,
  type CreatedEpoch,
  type Decapsulator,
  type DeviceId,
  type EpochKeys,
  type EpochStatement,
  type GroupId,
  type PreviousEpoch,
  type Primitives,
  type Signer,
  type Verifier,
} from '@keytide/crypto-core';
import {
  archiveOf,
  epochRecipientsOf,
  isActive,
  recipientsOf,
  type DirectoryState,
  type Member,
  type Role,
} from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochKeyStore } from './epoch-key-store.ts';
import { ClientError } from './errors.ts';

/** What this device is in the organisation, and its secrets. */
export interface Self {
  readonly device: DeviceId;
  readonly signer: Signer;
  readonly sealing: BoxKeys;
}

/** This device's sealing keys, as far as opening boxes goes; see `OwnSealingKeys`. */
interface BoxKeys {
  keysFor(statement: Pick<EpochStatement, 'author' | 'createdMs'>): readonly Decapsulator[];
  hasDeleted(statement: Pick<EpochStatement, 'author' | 'createdMs'>): boolean;
  wasSilent(atMs: number): boolean;
}

/** What the ring asks of the relay. `box` and `pullDirectory` throw ClientError `offline` when it is out of reach. */
export interface EpochSource {
  /** Whether boxes can be asked for; not while the client is being opened, which waits for no network. */
  canAsk(): boolean;
  box(epoch: number): Promise<Uint8Array | null>;
  pullDirectory(): Promise<void>;
}

interface EpochRingOptions {
  readonly primitives: Primitives;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly self: Self;
  readonly keys: EpochKeyStore;
  readonly source: EpochSource;
  /** The time by which an epoch's block has ended when its key has no place on this device any more. */
  windowStartMs(): number;
}

/** One object for each epoch, also when the log is decided anew: what becomes of its key holds for both. */
interface KnownEpoch {
  readonly statement: EpochStatement;
  /** The devices it is for, each with its member's role at the statement's checkpoint. */
  readonly recipients: ReadonlyMap<DeviceId, Role>;
  /** The archive that its key was sealed to, by the same checkpoint; `null` for none. */
  readonly archive: DeviceId | null;
  keys: EpochKeys | KeylessReason;
  /** Whether the relay was asked for the box. */
  wasAsked: boolean;
}

/** Why this device has no key of an epoch. */
export type KeylessReason =
  | 'ask-an-admin'
  | 'sealing-key-expired'
  | 'key-not-yet-arrived'
  | 'tampered'
  | 'expired-by-policy';

/** An epoch within the retention window whose key this device has not. */
interface LackingEpoch {
  readonly statement: EpochStatement;
  readonly reason: KeylessReason;
  /** Whether this device was among those whom the epoch's author sealed to, or should have. */
  readonly wasRecipient: boolean;
}

/** The epochs of one group that this device has verified, and the keys it holds of them. */
export class EpochRing {
  /** Whether a box has brought something since `fetchBoxes` last answered. */
  #hasNews = false;
  readonly #verifiers = new Map<DeviceId, Verifier>();
  readonly #options: EpochRingOptions;
  /** What is known of epochs that are yet to be adopted: they were, before the log is decided anew. */
  readonly #before: ReadonlyMap<number, KnownEpoch>;
  /** By number, in their order; with holes where statements were forgotten. */
  #epochs = new Map<number, KnownEpoch>();
  #newest: KnownEpoch | undefined;
  /** That of the newest floor: what is not known before it was forgotten. */
  #floorEpoch = 0;
  /** The epoch that this device is announcing: its own box would only tell it what it knows. */
  #made: Pick<CreatedEpoch, 'hash' | 'key'> | null = null;
  /** Who would receive an epoch's key, as of the log that was last asked about: every message asks. */
  #recipients: { readonly state: DirectoryState; readonly hash: Uint8Array } | null = null;

  constructor(options: EpochRingOptions, before: ReadonlyMap<number, KnownEpoch> = new Map()) {
    this.#options = options;
    this.#before = before;
  }

  /**
   * A ring without an epoch yet, for deciding the log anew. It knows what this one has found out of each, and asks
   * `source` for what this one has not.
   */
  fresh(source: EpochSource = this.#options.source): EpochRing {
    return new EpochRing({ ...this.#options, source }, this.#epochs);
  }

  /** Takes the place of this ring's epochs: those of one that has decided as much of the log, or of what is left of it. */
  become(fresh: EpochRing): void {
    const kept = new Set(fresh.#epochs.values());
    for (const known of this.#epochs.values())
      if (!kept.has(known) && typeof known.keys !== 'string') known.keys.dispose();
    this.#epochs = fresh.#epochs;
    this.#newest = fresh.#newest;
    this.#floorEpoch = fresh.#floorEpoch;
  }

  /** Wipes every key in memory, and knows no epoch from then on. */
  dispose(): void {
    for (const { keys } of this.#epochs.values()) if (typeof keys !== 'string') keys.dispose();
    this.#epochs = new Map();
    this.#newest = undefined;
  }

  /** Takes an epoch of this device's own while `announce` runs, for when its statement comes back. Wipes its key. */
  async whileAnnounced<T>(made: Pick<CreatedEpoch, 'hash' | 'key'>, announce: () => Promise<T>): Promise<T> {
    this.#made = made;
    try {
      return await announce();
    } finally {
      this.#made = null;
      made.key.dispose();
    }
  }

  /** The newest epoch's statement, or `null` before the first. */
  get current(): EpochStatement | null {
    return this.#newest?.statement ?? null;
  }

  /** The newest epoch's keys, or `null` when this device has none. */
  get currentKeys(): EpochKeys | null {
    const keys = this.#newest?.keys;
    return keys === undefined || typeof keys === 'string' ? null : keys;
  }

  /** The keys of an epoch, or why there are none. */
  keysOf(epoch: number): EpochKeys | KeylessReason {
    return this.#epochs.get(epoch)?.keys ?? (this.isForgotten(epoch) ? 'expired-by-policy' : 'tampered');
  }

  /** Whether an epoch's statement was forgotten before this device was given it. */
  isForgotten(epoch: number): boolean {
    return epoch < this.#floorEpoch && !this.#epochs.has(epoch);
  }

  /** The statements that were verified here, the oldest first. */
  get statements(): readonly EpochStatement[] {
    return [...this.#epochs.values()].map(({ statement }) => statement);
  }

  /** The statement of an epoch that was verified here, or `null`. */
  statementOf(epoch: number): EpochStatement | null {
    return this.#epochs.get(epoch)?.statement ?? null;
  }

  /** An epoch's key as it is stored, 32 bytes, for whoever is entitled to it; `null` when it is not here, or over. */
  async keyOf(epoch: number): Promise<Secret | null> {
    return this.isExpired(epoch) ? null : await this.#options.keys.get(epoch);
  }

  /** Whether an epoch's time is over here: nothing that was written in it is shown any more. */
  isExpired(epoch: number): boolean {
    const statement = this.statementOf(epoch);
    return statement === null ? this.isForgotten(epoch) : this.#isOver(statement);
  }

  /** The epochs of the retention window whose keys are not here, oldest first. */
  lacking(): readonly LackingEpoch[] {
    return [...this.#epochs.values()].flatMap(({ statement, recipients, keys }) => {
      if (typeof keys !== 'string' || this.#isOver(statement)) return [];
      return [{ statement, reason: keys, wasRecipient: recipients.has(this.#options.self.device) }];
    });
  }

  /**
   * Takes epoch keys that came from elsewhere, as by a grant: each must be the one that its epoch's author committed
   * to. Of unknown and expired epochs, and of those whose key is here, none is taken. Durable when it resolves.
   * @returns the epochs whose keys were taken
   * @throws CryptoError `commitment-mismatch`, and then nothing was taken
   */
  async importKeys(keys: readonly { readonly epoch: number; readonly key: Secret }[]): Promise<number[]> {
    const taken = new Map<KnownEpoch, { key: Secret; opened: EpochKeys }>();
    for (const { epoch, key } of keys) {
      const known = this.#epochs.get(epoch);
      if (known === undefined || typeof known.keys !== 'string' || this.#isOver(known.statement)) continue;
      taken.set(known, { key, opened: this.#open(known.statement, copyOf(key)) });
    }
    await this.#options.keys.add([...taken].map(([{ statement }, { key }]) => ({ statement, key })));
    for (const [known, { opened }] of taken) known.keys = opened;
    return [...taken.keys()].map(({ statement }) => statement.epoch);
  }

  /**
   * Asks the relay again for each box that this device should have had.
   * @returns whether anything is known now that was not when it last answered
   * @throws ClientError `offline`
   */
  async fetchBoxes(): Promise<boolean> {
    for (const known of [...this.#epochs.values()]) {
      const { statement, recipients, keys, wasAsked } = known;
      const isSettled = typeof keys !== 'string' || keys === 'expired-by-policy';
      if (
        isSettled ||
        (keys === 'sealing-key-expired' && wasAsked) ||
        !recipients.has(this.#options.self.device)
      )
        continue;
      const found = await this.#keysFor(statement, recipients);
      // Also where the next box cannot be had: what has come must not wait for it unseen.
      this.#hasNews ||= found.keys !== keys;
      Object.assign(known, found);
    }
    const hadNews = this.#hasNews;
    this.#hasNews = false;
    return hadNews;
  }

  /**
   * Lets go of what is over, and takes up again what was over by a clock that has been put right since.
   * @returns up to which epoch everything is over, 0 for none; and whether that has changed
   */
  settle(): { readonly expiredThrough: number; readonly isNew: boolean; readonly isBack: boolean } {
    let [expiredThrough, isNew, isBack] = [0, false, false];
    for (const known of this.#epochs.values()) {
      const { statement, recipients, keys } = known;
      const wasOver = keys === 'expired-by-policy';
      const isOver = this.#isOver(statement);
      if (isOver) expiredThrough = statement.epoch;
      if (isOver === wasOver) continue;
      isNew = true;
      if (typeof keys !== 'string') keys.dispose();
      isBack ||= wasOver;
      known.wasAsked = false;
      known.keys = isOver
        ? 'expired-by-policy'
        : recipients.has(this.#options.self.device)
          ? 'key-not-yet-arrived'
          : 'ask-an-admin';
    }
    return { expiredThrough, isNew, isBack };
  }

  /** When the block of the oldest epoch ends that is not yet found to be over; `null` where there is none. */
  get firstEndMs(): number | null {
    for (const { statement, keys } of this.#epochs.values())
      if (keys !== 'expired-by-policy') return statement.blockEndMs;
    return null;
  }

  /** The epochs whose keys a box to this device may still bring. */
  get unopened(): readonly EpochStatement[] {
    return [...this.#epochs.values()]
      .filter(({ keys }) => keys === 'key-not-yet-arrived' || keys === 'tampered')
      .map(({ statement }) => statement);
  }

  /** The role that counts for what a device writes now: its member's at the newest epoch's checkpoint. `null`: none. */
  currentRoleOf(device: DeviceId): Role | null {
    return this.#newest?.recipients.get(device) ?? null;
  }

  /** Where time ends for what is written now: one block after the newest epoch's, for late writers and slow clocks. */
  get endMs(): number {
    const { current } = this;
    return current === null ? 0 : 2 * current.blockEndMs - current.blockStartMs;
  }

  /** Whether a device that was removed since holds the newest epoch's key, or an archive that is no longer the policy's. */
  get isExposed(): boolean {
    return this.exposes(this.current?.epoch ?? 0);
  }

  /** Whether a device that was removed since holds the key of this epoch, or an archive that is no longer the policy's. */
  exposes(epoch: number): boolean {
    const { primitives, directory } = this.#options;
    const { state } = directory;
    const known = this.#epochs.get(epoch);
    if (known === undefined) return false;
    if ([...known.recipients.keys()].some((device) => !isActive(state, device))) return true;
    return known.archive !== null && known.archive !== archiveOf(primitives, state)?.device;
  }

  /** Whether what was written in this epoch would reach nobody new if it were written now. */
  reachesAll(epoch: number): boolean {
    const { directory, group } = this.#options;
    const recipients = this.#epochs.get(epoch)?.recipients;
    return recipientsOf(directory.state, group).every(({ device }) => recipients?.has(device) === true);
  }

  /** Whether somebody's role is no longer the one that counts in the newest epoch (ADR 25). */
  get hasOldRoles(): boolean {
    const { members, devices } = this.#options.directory.state;
    return [...(this.#newest?.recipients ?? [])].some(([id, role]) => {
      const device = devices.get(id);
      return device?.revokedAt === null && members.get(device.member)?.role !== role;
    });
  }

  /** Whether the next message should wait for a new epoch: none yet, its time over, or the members, their roles or the archive changed. */
  needsRotation(nowMs: number): boolean {
    const { primitives, directory, group } = this.#options;
    const { current, currentKeys } = this;
    if (current === null || currentKeys === null || nowMs >= current.blockEndMs) return true;
    if (this.hasOldRoles) return true;
    const { state } = directory;
    if (this.#recipients?.state !== state)
      this.#recipients = {
        state,
        hash: recipientsHash(primitives, epochRecipientsOf(primitives, state, group)),
      };
    return !equalBytes(current.recipientsHash, this.#recipients.hash);
  }

  /**
   * Checks a statement against this device's own log: it must follow the newest epoch, be signed by a member
   * device, and be addressed to exactly the devices, and the archive, that the log names at its checkpoint.
   * @throws CryptoError for a statement to be refused, ClientError `offline`, `relay-forked`
   */
  async verify(wire: Uint8Array): Promise<EpochStatement> {
    return await this.#verify(parseEpochStatement(this.#options.primitives, wire), wire, this.current);
  }

  /**
   * Checks the newest statement before a floor. What it follows was forgotten: which epoch it is, and that nothing is
   * left out behind it, the next one bears out, which names it.
   * @throws as `verify`
   */
  async verifyFloor(wire: Uint8Array): Promise<EpochStatement> {
    const statement = parseEpochStatement(this.#options.primitives, wire);
    const { epoch, previousHash } = statement;
    const { current } = this;
    const known = this.statementOf(epoch);
    if (known !== null && equalBytes(known.hash, statement.hash)) return statement;
    if (known === null && epoch < (current?.epoch ?? 0))
      throw new CryptoError('wrong-context', 'not an epoch that follows the newest one');
    const createdMs = known === null ? (current?.createdMs ?? 0) : 0;
    await this.#verify(statement, wire, { epoch: epoch - 1, hash: previousHash, createdMs });
    if (known === null) return statement;
    throw new ClientError('relay-forked', 'the relay shows another epoch than before', { evidence: [wire] });
  }

  async #verify(
    statement: EpochStatement,
    wire: Uint8Array,
    previous: (PreviousEpoch & Pick<EpochStatement, 'createdMs'>) | null,
  ): Promise<EpochStatement> {
    const { primitives, group, directory } = this.#options;
    const { org, checkpoint, author } = statement;
    if (org !== directory.state.org || statement.group !== group)
      throw new CryptoError('wrong-context', 'a statement of another organisation or group');
    if (checkpoint.size < (this.current?.checkpoint.size ?? 1)) {
      throw new CryptoError(
        'wrong-context',
        'the statement rests on an older membership log than the epoch before',
      );
    }
    await this.#assertSigned(statement);
    await this.assertDirectoryClaim(author, checkpoint, wire);
    const state = directory.stateAt(checkpoint.size);
    const device = recipientsOf(state, group).find((recipient) => recipient.device === author);
    if (device === undefined) throw new CryptoError('not-a-recipient', 'the author is not a member device');
    verifyEpochStatement(primitives, statement, {
      authorVerifier: primitives.verifier(device.signingPublicKey),
      org: state.org,
      group,
      previous,
      blockMs: state.policy.blockSeconds * 1000,
      recipients: epochRecipientsOf(primitives, state, group),
    });
    return statement;
  }

  /** Makes a verified statement the newest epoch, with its key where this device is a recipient. */
  adopt(statement: EpochStatement): Promise<void> {
    return this.#adopt(statement, (recipients) => this.#keysFor(statement, recipients));
  }

  /** Goes on from the newest statement before a floor. Its box went with what was forgotten. */
  async adoptFloor(statement: EpochStatement): Promise<void> {
    this.#floorEpoch = statement.epoch;
    if (this.current?.epoch === statement.epoch) return;
    await this.#adopt(statement, async () => {
      const stored = await this.#stored(statement);
      if (stored !== null) return { keys: stored, wasAsked: true };
      return { keys: this.#isOver(statement) ? 'expired-by-policy' : 'ask-an-admin', wasAsked: true };
    });
  }

  async #adopt(
    statement: EpochStatement,
    keysFor: (recipients: ReadonlyMap<DeviceId, Role>) => Promise<Pick<KnownEpoch, 'keys' | 'wasAsked'>>,
  ): Promise<void> {
    const { primitives, directory, group } = this.#options;
    let known = this.#before.get(statement.epoch);
    if (known === undefined || !equalBytes(known.statement.hash, statement.hash)) {
      const state = directory.stateAt(statement.checkpoint.size);
      const recipients = new Map<DeviceId, Role>();
      for (const { device, member } of recipientsOf(state, group))
        recipients.set(device, (state.members.get(member) as Member).role);
      const archive = archiveOf(primitives, state)?.device ?? null;
      known = { statement, recipients, archive, ...(await keysFor(recipients)) };
    }
    this.#epochs.set(statement.epoch, known);
    this.#newest = known;
  }

  /**
   * What a signed statement or message says of the membership log must agree with this device's copy.
   * @param signed the bytes in which `author` says it
   * @throws ClientError `offline`, `relay-misbehaved` while entries are withheld, `relay-forked` with the signed
   *   bytes as evidence; CryptoError
   *   `not-a-recipient` when a removed device says it: who has left cannot stop those who stay
   */
  async assertDirectoryClaim(author: DeviceId, claim: Checkpoint, signed: Uint8Array): Promise<void> {
    const { directory, source } = this.#options;
    const holds = (): boolean => {
      const mine = directory.rootAt(claim.size);
      return mine !== null && equalBytes(mine, claim.root);
    };
    if (holds()) return;
    // The newest log may hold what is missing here, or that the author has been removed meanwhile.
    await source.pullDirectory();
    if (holds()) return;
    if (!isActive(directory.state, author))
      throw new CryptoError('not-a-recipient', 'a removed device has no say about the membership log');
    if (directory.rootAt(claim.size) === null)
      throw new ClientError(
        'relay-misbehaved',
        'the relay withholds membership entries that a member has seen',
      );
    throw new ClientError('relay-forked', 'a member was shown another membership log than this device', {
      evidence: [signed],
    });
  }

  /** Before anything that a statement claims is believed or held against the relay. */
  async #assertSigned(statement: EpochStatement): Promise<void> {
    const { primitives, directory, source } = this.#options;
    if (!directory.state.devices.has(statement.author)) await source.pullDirectory();
    const author = directory.state.devices.get(statement.author);
    if (author === undefined)
      throw new CryptoError('not-a-recipient', 'the author was never a member device');
    const verifier = primitives.verifier(author.signingPublicKey);
    verifyBytes(primitives, verifier, 'epochStatementSignature', statement.bytes, statement.signature);
  }

  /** A key that is over is used as long as it is stored, for what only it can tell of this device's own chain. */
  async #keysFor(
    statement: EpochStatement,
    recipients: ReadonlyMap<DeviceId, Role>,
  ): Promise<Pick<KnownEpoch, 'keys' | 'wasAsked'>> {
    const { primitives, self, source, keys } = this.#options;
    const stored = await this.#stored(statement);
    if (stored !== null) return { keys: stored, wasAsked: true };
    if (this.#isOver(statement)) return { keys: 'expired-by-policy', wasAsked: false };
    if (!recipients.has(self.device)) return { keys: 'ask-an-admin', wasAsked: false };
    if (this.#made !== null && equalBytes(this.#made.hash, statement.hash)) {
      const key = copyOf(this.#made.key);
      await keys.add([{ statement, key }]);
      return { keys: this.#open(statement, key), wasAsked: true };
    }
    const wasAsked = source.canAsk();
    const box = wasAsked ? await source.box(statement.epoch) : null;
    if (box === null) {
      const wasSilent = self.sealing.wasSilent(statement.createdMs);
      return { keys: wasSilent ? 'sealing-key-expired' : 'key-not-yet-arrived', wasAsked };
    }
    try {
      const sealing = self.sealing.keysFor(statement);
      const key = openEpochBox(primitives, sealing, statement, self.device, box);
      // It may have taken its time.
      if (this.#isOver(statement)) return { keys: 'expired-by-policy', wasAsked };
      await keys.add([{ statement, key }]);
      return { keys: this.#open(statement, key), wasAsked };
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      return { keys: self.sealing.hasDeleted(statement) ? 'sealing-key-expired' : 'tampered', wasAsked };
    }
  }

  /** The key that is kept of this epoch: not that of another with its number, from before the relay was put back. */
  async #stored(statement: EpochStatement): Promise<EpochKeys | null> {
    const stored = await this.#options.keys.get(statement.epoch);
    if (stored === null) return null;
    try {
      return this.#open(statement, stored);
    } catch (error) {
      if (error instanceof CryptoError && error.code === 'commitment-mismatch') return null;
      throw error;
    }
  }

  #isOver({ blockEndMs }: Pick<EpochStatement, 'blockEndMs'>): boolean {
    return blockEndMs <= this.#options.windowStartMs();
  }

  #open(statement: EpochStatement, key: Secret): EpochKeys {
    const { primitives, directory, group } = this.#options;
    const devices = recipientsOf(directory.stateAt(statement.checkpoint.size), group).map((recipient) => ({
      device: recipient.device,
      verifier: this.#verifierOf(recipient.device, recipient.signingPublicKey),
    }));
    return openEpoch({ primitives, statement, key, devices });
  }

  /** A device's key is the same in every epoch, and costs a tenth of a millisecond to read. */
  #verifierOf(device: DeviceId, publicKey: Uint8Array): Verifier {
    const known = this.#verifiers.get(device) ?? this.#options.primitives.verifier(publicKey);
    this.#verifiers.set(device, known);
    return known;
  }
}

function copyOf(key: Secret): Secret {
  return Secret.own(key.use((bytes) => bytes.slice()));
}
