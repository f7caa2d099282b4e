import {
  boxRecordsAt,
  createSealingRecord,
  decodeCbor,
  encodeCbor,
  parseSealingRecord,
  sealingKeyId,
  sealingKeysToDelete,
  sealingRecordAt,
  Secret,
  type Decapsulator,
  type DeviceId,
  type EpochStatement,
  type KeyStore,
  type KeyStoreChange,
  type Primitives,
  type Random,
  type SealingKeysInput,
  type SealingRecord,
  type Signer,
} from '@keytide/crypto-core';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import { forgetSealingSeed } from './identity.ts';
import { sealingTimesOf } from './sealing-times.ts';

/** What the sealing keys of a device are kept with. */
export interface OwnSealingKeysOptions {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly keyStore: KeyStore;
  readonly directory: DirectoryReplica;
  readonly device: DeviceId;
  readonly signer: Signer;
  /** Seed of the first key, whose record is in the membership log; `null` once it was deleted. */
  readonly firstSeed: Secret | null;
}

/** A key after the first. */
interface LaterKey {
  readonly name: string;
  readonly wire: Uint8Array;
  readonly record: SealingRecord;
  /** `null` once its secret was deleted. */
  readonly decapsulator: Decapsulator | null;
  readonly isPublished: boolean;
}

/** An epoch whose key this device should have and has not: when it was made, and when its block ends. */
export type UnopenedEpoch = Pick<EpochStatement, 'createdMs' | 'blockEndMs'>;

const PREFIX = 'sealing/';
const MAX_ENTRY_BYTES = 4096;

/**
 * This device's own sealing keys (docs/spec/keys-and-sealing.md, "Life of a sealing key"): each is durable before
 * anybody can seal to it, and its secret goes for good when nothing can come for it any more.
 */
export class OwnSealingKeys {
  readonly #options: OwnSealingKeysOptions;
  #first: Decapsulator | null;
  #later: readonly LaterKey[];

  private constructor(options: OwnSealingKeysOptions, later: readonly LaterKey[]) {
    const { primitives, firstSeed } = options;
    this.#options = options;
    this.#first = firstSeed === null ? null : firstSeed.use((seed) => primitives.decapsulator(seed));
    this.#later = later;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(options: OwnSealingKeysOptions): Promise<OwnSealingKeys> {
    const { keyStore, primitives } = options;
    const later: LaterKey[] = [];
    for (const name of await keyStore.names(PREFIX)) {
      const stored = await keyStore.get(name);
      if (stored !== null) later.push(decodeKey(primitives, name, stored));
    }
    return new OwnSealingKeys(options, later);
  }

  /** The newest record, published or not; `null` while this device is not in its log. */
  get newest(): SealingRecord | null {
    return this.#later[this.#later.length - 1]?.record ?? this.#firstRecord;
  }

  /**
   * The record to seal one's own epochs to: the one in force, so that its secret opens nothing older than it, or the
   * newest where none is, as before the first in force begins; `null` while this device is not in its log.
   */
  ownAt(nowMs: number): SealingRecord | null {
    const inForce = this.#records().filter(
      (record) =>
        record.notBeforeMs <= nowMs && nowMs < record.notAfterMs && this.#decapsulatorOf(record) !== null,
    );
    return inForce[inForce.length - 1] ?? this.newest;
  }

  /** Whether there is a newest key whose secret is still here. */
  get hasNewest(): boolean {
    const { newest } = this;
    return newest !== null && this.#decapsulatorOf(newest) !== null;
  }

  /** A signed record that is durable here and that the relay has not confirmed; `null` where there is none. */
  get unpublished(): Uint8Array | null {
    return this.#later.find(({ isPublished }) => !isPublished)?.wire ?? null;
  }

  /**
   * The keys that this device's box of an epoch can be sealed to, the likeliest first. A device can have sealed its
   * own epochs to the newest key it has, whenever that starts.
   */
  keysFor({ author, createdMs }: Pick<EpochStatement, 'author' | 'createdMs'>): readonly Decapsulator[] {
    const atMs = author === this.#options.device ? Infinity : createdMs;
    return boxRecordsAt(this.#records(), atMs).flatMap((record) => this.#decapsulatorOf(record) ?? []);
  }

  /** The key with this id (`sealingKeyId`), or `null` where its secret is not here. */
  withId(keyId: string): Decapsulator | null {
    const { primitives } = this.#options;
    const record = this.#records().find(({ publicKey }) => sealingKeyId(primitives, publicKey) === keyId);
    return record === undefined ? null : this.#decapsulatorOf(record);
  }

  /** Whether the secret that a box of this epoch should be sealed to is gone, so that it cannot be opened any more. */
  hasDeleted({ author, createdMs }: Pick<EpochStatement, 'author' | 'createdMs'>): boolean {
    const times = author === this.#options.device ? [createdMs, Infinity] : [createdMs];
    return times.some((atMs) => {
      const [likeliest] = boxRecordsAt(this.#records(), atMs);
      return likeliest !== undefined && this.#decapsulatorOf(likeliest) === null;
    });
  }

  /** Whether no author could seal to this device then. */
  wasSilent(atMs: number): boolean {
    const { policy } = this.#options.directory.state;
    const [first, ...rest] = this.#published();
    return (
      first !== undefined && sealingRecordAt([first, ...rest], atMs, sealingTimesOf(policy)).kind === 'silent'
    );
  }

  /** Makes the next key, in force from `fromMs` for a block; durable, and not published, when this resolves. */
  async add(fromMs: number): Promise<void> {
    const { primitives, random, keyStore, directory, device, signer } = this.#options;
    const seed = Secret.own(random(32));
    const decapsulator = seed.use((bytes) => primitives.decapsulator(bytes));
    const record = {
      device,
      publicKey: decapsulator.publicKey,
      notBeforeMs: fromMs,
      notAfterMs: fromMs + sealingTimesOf(directory.state.policy).blockMs,
    };
    const wire = createSealingRecord(primitives, signer, record);
    const key: LaterKey = { name: nameOf(fromMs), wire, record, decapsulator, isPublished: false };
    const value = seed.use((bytes) => encodeKey(key, bytes));
    await keyStore.write([{ name: key.name, value }]);
    seed.dispose();
    value.fill(0);
    this.#later = [...this.#later, key];
  }

  /** The relay has this record. */
  async confirm(wire: Uint8Array): Promise<void> {
    await this.#replace(
      this.#later.filter((key) => key.wire === wire),
      (key) => ({ ...key, isPublished: true }),
    );
  }

  /** The relay refuses this record, so nobody seals to its key: its secret goes. */
  async withdraw(wire: Uint8Array): Promise<void> {
    await this.#replace(
      this.#later.filter((key) => key.wire === wire),
      () => null,
    );
  }

  /**
   * Deletes every secret whose time is over, for good. Call it after opening what can be opened.
   * @param unopened the epochs whose keys this device should have and has not
   */
  async deleteExpired(
    { nowMs, syncedMs }: Pick<SealingKeysInput, 'nowMs' | 'syncedMs'>,
    unopened: readonly UnopenedEpoch[],
  ): Promise<void> {
    const times = sealingTimesOf(this.#options.directory.state.policy);
    const records = this.#published();
    const boxes = unopened.flatMap(({ createdMs, blockEndMs }) =>
      boxRecordsAt(this.#records(), createdMs).map(({ publicKey }) => ({ publicKey, endMs: blockEndMs })),
    );
    const input = { ...times, unopened: boxes, syncedMs, nowMs };
    // A record whose answer is out can be with the relay: its secret has its time, and ends no other's.
    const waiting = this.#later.filter(({ isPublished }) => !isPublished).map(({ record }) => record);
    const expired = new Set([
      ...sealingKeysToDelete({ ...input, records }),
      ...waiting.flatMap((record) => sealingKeysToDelete({ ...input, records: [record] })),
    ]);
    if (this.#first !== null && records.some((record, i) => i === 0 && expired.has(record)))
      await this.#deleteFirst();
    // The records stay for as long as they tell why an epoch has no key here; the newest, to be continued.
    const forgottenMs = nowMs - times.retentionMs - times.graceMs - 3 * times.blockMs;
    const newest = this.newest;
    const due = this.#later.filter(
      ({ record, decapsulator }) =>
        expired.has(record) &&
        (decapsulator !== null || (record.notAfterMs < forgottenMs && record !== newest)),
    );
    await this.#replace(due, (key) => {
      const isForgotten = key.record.notAfterMs < forgottenMs && key.record !== newest;
      return isForgotten || !key.isPublished ? null : { ...key, decapsulator: null };
    });
  }

  get #firstRecord(): SealingRecord | null {
    const { directory, device } = this.#options;
    const own = directory.size === 0 ? undefined : directory.state.devices.get(device);
    return own === undefined ? null : { device, ...own.sealing };
  }

  #records(): readonly SealingRecord[] {
    const first = this.#firstRecord;
    return [...(first === null ? [] : [first]), ...this.#later.map(({ record }) => record)];
  }

  #published(): readonly SealingRecord[] {
    const unpublished = new Set(this.#later.filter((key) => !key.isPublished).map(({ record }) => record));
    return this.#records().filter((record) => !unpublished.has(record));
  }

  #decapsulatorOf(record: SealingRecord): Decapsulator | null {
    const later = this.#later.find((key) => key.record === record);
    return later === undefined ? this.#first : later.decapsulator;
  }

  async #deleteFirst(): Promise<void> {
    await forgetSealingSeed(this.#options.keyStore);
    this.#options.firstSeed?.dispose();
    this.#first = null;
  }

  /** Changes or removes keys, in the store first; a key whose secret is kept keeps it as it is stored. */
  async #replace(keys: readonly LaterKey[], change: (key: LaterKey) => LaterKey | null): Promise<void> {
    if (keys.length === 0) return;
    const { keyStore } = this.#options;
    const changed = new Map(keys.map((key) => [key, change(key)]));
    const batch: KeyStoreChange[] = [];
    for (const [{ name }, after] of changed) {
      const keepsSecret = after !== null && after.decapsulator !== null;
      const seed = keepsSecret ? seedIn(await keyStore.get(name)) : null;
      batch.push({ name, value: after === null ? null : encodeKey(after, seed) });
      seed?.fill(0);
    }
    await keyStore.write(batch);
    for (const { value } of batch) value?.fill(0);
    this.#later = this.#later.flatMap((key) => {
      const after = changed.get(key);
      return after === undefined ? [key] : after === null ? [] : [after];
    });
  }
}

/** Names sort as the keys start. */
function nameOf(fromMs: number): string {
  return `${PREFIX}${String(fromMs).padStart(16, '0')}`;
}

function encodeKey({ wire, isPublished }: LaterKey, seed: Uint8Array | null): Uint8Array {
  return encodeCbor([1, wire, seed, isPublished]);
}

function decodeKey(primitives: Primitives, name: string, stored: Uint8Array): LaterKey {
  const value = decodeCbor(stored, MAX_ENTRY_BYTES);
  const [version, wire, , isPublished] = Array.isArray(value) ? value : [];
  if (version !== 1 || !(wire instanceof Uint8Array) || typeof isPublished !== 'boolean')
    throw new ClientError('store-damaged', 'a stored sealing key is not one');
  const seed = seedIn(stored);
  const decapsulator = seed === null ? null : primitives.decapsulator(seed);
  seed?.fill(0);
  return { name, wire, record: parseSealingRecord(wire), decapsulator, isPublished };
}

function seedIn(stored: Uint8Array | null): Uint8Array | null {
  const value = stored === null ? null : decodeCbor(stored, MAX_ENTRY_BYTES);
  const seed: unknown = Array.isArray(value) ? value[2] : null;
  return seed instanceof Uint8Array ? seed : null;
}
