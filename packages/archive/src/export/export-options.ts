import type { DeviceId, Primitives, Random, Signer } from '@keytide/crypto-core';
import type { Destination } from '../container/destination.ts';
import type { ArchiveFilter } from '../container/filter.ts';
import type { SignedManifest } from '../container/signed-manifest.ts';
import type { ExportSource } from './source.ts';

/** How far an export is. */
export interface ExportProgress {
  /** Entries of a group's log, one group after the other; then attachments. */
  readonly phase: 'log' | 'attachments';
  readonly done: number;
  readonly total: number;
  /** Bytes written so far, and kept from before a stop. */
  readonly sizeBytes: number;
}

/** What an export is made with. */
export interface ExportOptions {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly now: () => number;
  readonly source: ExportSource;
  readonly destination: Destination;
  /** Who signs it: a device of an admin or exporter. */
  readonly exporter: { readonly device: DeviceId; readonly signer: Signer };
  /** X-Wing keys, 1,216 bytes each, besides the archive key of the policy. */
  readonly recipients?: readonly Uint8Array[];
  readonly filter?: ArchiveFilter | null;
  /** The archive to go on from: everything since. */
  readonly since?: SignedManifest | null;
  readonly onProgress?: (progress: ExportProgress) => void;
  readonly signal?: AbortSignal;
}
