import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { HashTileName, StoredNode, TileName } from '@keytide/key-directory/verify';

/**
 * What a relay keeps of a membership log beside its entries, so that nobody has to trust the relay
 * (docs/spec/directory-service.md). All of it is written with the entry, by `appendLogEntry`.
 */
export interface DirectoryStore {
  /**
   * The signed checkpoint of one size, of the newest size, or of the newest size that has a cosignature;
   * with its cosignatures, newest first, as many as a note has room for. `null` without.
   */
  readCheckpoint(org: OrgId, which: number | 'newest' | 'witnessed'): Promise<StoredCheckpoint | null>;
  /** For each device the newest checkpoint that it cosigned, each checkpoint once, newest first, at most 64; as `readCheckpoint`. */
  readCosigned(org: OrgId): Promise<readonly StoredCheckpoint[]>;
  /**
   * Keeps a cosignature of a checkpoint that is stored, unless the device has a newer one for it, and forgets
   * those of all but the newest 64 checkpoints that have any, but for the last one of each device.
   */
  putCosignature(org: OrgId, size: number, cosignature: StoredCosignature): Promise<void>;
  /** The hashes of a tile, exactly as many as asked for; `null` when the log is not that long. */
  readTile(org: OrgId, tile: HashTileName): Promise<Uint8Array | null>;
  /** The wires of a bundle, exactly as many as asked for; `null` when the log is not that long. */
  readBundle(org: OrgId, bundle: Omit<TileName, 'level'>): Promise<readonly Uint8Array[] | null>;
  /** The nodes of the map on the ways from a root to keys, all of 32 bytes; as many of them as are stored. */
  readWays(org: OrgId, root: Uint8Array, keys: readonly Uint8Array[]): Promise<readonly StoredNode[]>;

  /** The newest sealing records of a device, oldest first: at most 4. */
  readSealingRecords(org: OrgId, device: DeviceId): Promise<readonly StoredSealingRecord[]>;
  /**
   * Keeps a device's next sealing record and drops all but its newest 4. Its seq; `null`, and nothing done,
   * unless `afterSeq` is the newest of this device (0 for none).
   */
  addSealingRecord(addition: SealingRecordAddition): Promise<number | null>;
  /** Sealing records with a higher seq, in order: at most 512. Whoever has read up to a seq misses none below it. */
  listSealingRecords(org: OrgId, afterSeq: number): Promise<SealingRecordsPage>;
}

/** What one more entry adds to what its log is proved by. */
export interface LogGrowth {
  /** The hashes that the tree gained. */
  readonly hashes: readonly TreeHash[];
  /** The nodes that the map gained. */
  readonly nodes: readonly StoredNode[];
  /** The checkpoint of the new size: a signed note. */
  readonly checkpoint: Uint8Array;
}

/** One hash of the tree, 32 bytes, at a level and a place counted from 0. */
export interface TreeHash {
  readonly level: number;
  readonly place: number;
  readonly hash: Uint8Array;
}

/** A checkpoint of a log. */
export interface StoredCheckpoint {
  readonly size: number;
  /** As the relay signed it when the log had this size. */
  readonly note: Uint8Array;
  readonly cosignatures: readonly StoredCosignature[];
}

/** A device's cosignature of a checkpoint. */
export interface StoredCosignature {
  readonly device: DeviceId;
  readonly keyId: number;
  readonly timeSeconds: number;
  /** 72 bytes: the time again, and the signature. */
  readonly signature: Uint8Array;
}

/** A sealing record as it travelled. */
export interface StoredSealingRecord {
  readonly seq: number;
  readonly device: DeviceId;
  readonly wire: Uint8Array;
}

/** One more sealing record of a device. */
export interface SealingRecordAddition {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly wire: Uint8Array;
  readonly afterSeq: number;
}

/** Part of the sealing records of an organisation; `more` says whether there is another part. */
export interface SealingRecordsPage {
  readonly records: readonly StoredSealingRecord[];
  readonly more: boolean;
}
