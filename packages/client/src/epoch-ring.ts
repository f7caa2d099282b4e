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
  type Decapsulator,
  type DeviceId,
  type EpochKeys,
  type EpochStatement,
  type GroupId,
  type KeyStore,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { isActive, recipientsOf, type DirectoryState, type Member, type Role } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
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

/** What the ring asks of the relay. Both throw ClientError `offline` when it is out of reach. */
export interface EpochSource {
  box(epoch: number): Promise<Uint8Array | null>;
  pullDirectory(): Promise<void>;
}

interface EpochRingOptions {
  readonly primitives: Primitives;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly self: Self;
  readonly keyStore: KeyStore;
  readonly source: EpochSource;
}

interface KnownEpoch {
  readonly statement: EpochStatement;
  /** The devices it is for, each with its member's role at the statement's checkpoint. */
  readonly recipients: ReadonlyMap<DeviceId, Role>;
  readonly keys: EpochKeys | KeylessReason;
}

/** Why this device has no key of an epoch. */
export type KeylessReason = 'ask-an-admin' | 'sealing-key-expired' | 'key-not-yet-arrived' | 'tampered';

/** The epochs of one group that this device has verified, and the keys it holds of them. */
export class EpochRing {
  readonly #options: EpochRingOptions;
  readonly #epochs: KnownEpoch[] = [];
  /** Who would receive an epoch's key, as of the log that was last asked about: every message asks. */
  #recipients: { readonly state: DirectoryState; readonly hash: Uint8Array } | null = null;

  constructor(options: EpochRingOptions) {
    this.#options = options;
  }

  get #newest(): KnownEpoch | undefined {
    return this.#epochs[this.#epochs.length - 1];
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
    return this.#epochs[epoch - 1]?.keys ?? 'tampered';
  }

  /** The epochs whose keys a box to this device may still bring. */
  get unopened(): readonly EpochStatement[] {
    return this.#epochs
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

  /** Whether a device that was removed since holds the newest epoch's key. */
  get isExposed(): boolean {
    return this.exposes(this.#epochs.length);
  }

  /** Whether a device that was removed since holds the key of this epoch. */
  exposes(epoch: number): boolean {
    const { state } = this.#options.directory;
    return [...(this.#epochs[epoch - 1]?.recipients.keys() ?? [])].some((device) => !isActive(state, device));
  }

  /** Whether somebody's role is no longer the one that counts in the newest epoch (ADR 25). */
  get hasOldRoles(): boolean {
    const { members, devices } = this.#options.directory.state;
    return [...(this.#newest?.recipients ?? [])].some(([id, role]) => {
      const device = devices.get(id);
      return device?.revokedAt === null && members.get(device.member)?.role !== role;
    });
  }

  /** Whether the next message should wait for a new epoch: none yet, its time over, or the members or their roles changed. */
  needsRotation(nowMs: number): boolean {
    const { primitives, directory, group } = this.#options;
    const { current, currentKeys } = this;
    if (current === null || currentKeys === null || nowMs >= current.blockEndMs) return true;
    if (this.hasOldRoles) return true;
    const { state } = directory;
    if (this.#recipients?.state !== state)
      this.#recipients = { state, hash: recipientsHash(primitives, recipientsOf(state, group)) };
    return !equalBytes(current.recipientsHash, this.#recipients.hash);
  }

  /**
   * Checks a statement against this device's own log: it must follow the newest epoch, be signed by a member
   * device, and be addressed to exactly the devices that the log names at its checkpoint.
   * @throws CryptoError for a statement to be refused, ClientError `offline`, `relay-forked`
   */
  async verify(wire: Uint8Array): Promise<EpochStatement> {
    const { primitives, group, directory } = this.#options;
    const statement = parseEpochStatement(primitives, wire);
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
    const recipients = recipientsOf(state, group);
    const device = recipients.find((recipient) => recipient.device === author);
    if (device === undefined) throw new CryptoError('not-a-recipient', 'the author is not a member device');
    verifyEpochStatement(primitives, statement, {
      authorVerifier: primitives.verifier(device.signingPublicKey),
      org: state.org,
      group,
      previous: this.current,
      blockMs: state.policy.blockSeconds * 1000,
      recipients,
    });
    return statement;
  }

  /** Makes a verified statement the newest epoch, with its key where this device is a recipient. */
  async adopt(statement: EpochStatement): Promise<void> {
    const { directory, group } = this.#options;
    const state = directory.stateAt(statement.checkpoint.size);
    const recipients = new Map<DeviceId, Role>();
    for (const { device, member } of recipientsOf(state, group))
      recipients.set(device, (state.members.get(member) as Member).role);
    const keys = recipients.has(this.#options.self.device) ? await this.#keysFor(statement) : 'ask-an-admin';
    this.#epochs.push({ statement, recipients, keys });
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

  async #keysFor(statement: EpochStatement): Promise<EpochKeys | KeylessReason> {
    const { primitives, self, keyStore, group, source } = this.#options;
    const name = `epoch/${group}/${statement.epoch}`;
    const stored = await keyStore.get(name);
    if (stored !== null) return this.#open(statement, Secret.own(stored));
    const box = await source.box(statement.epoch);
    if (box === null)
      return self.sealing.wasSilent(statement.createdMs) ? 'sealing-key-expired' : 'key-not-yet-arrived';
    try {
      const keys = self.sealing.keysFor(statement);
      const key = openEpochBox(primitives, keys, statement, self.device, box);
      await keyStore.write([{ name, value: key.use((bytes) => bytes.slice()) }]);
      return this.#open(statement, key);
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      return self.sealing.hasDeleted(statement) ? 'sealing-key-expired' : 'tampered';
    }
  }

  #open(statement: EpochStatement, key: Secret): EpochKeys {
    const { primitives, directory, group } = this.#options;
    const devices = recipientsOf(directory.stateAt(statement.checkpoint.size), group).map((recipient) => ({
      device: recipient.device,
      verifier: primitives.verifier(recipient.signingPublicKey),
    }));
    return openEpoch({ primitives, statement, key, devices });
  }
}
