import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory/verify';
import type { BlobIndex, BlobName, HeldBlobs, StoredBlob } from './blob-index.ts';
import type { BlobStore } from './blob-store.ts';
import type { Clock } from './clock.ts';
import type { EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import { releasedUntilMs, wholeBeforeMs, type Retention, type RetentionOf } from './retention.ts';

/** Ciphertext that is too large for an envelope: uploaded in pieces, read in pieces, deleted when its time is over. */
export interface Blobs {
  /**
   * Starts or goes on with a device's upload: how many bytes are safe.
   * @throws RelayError `blob-taken`, `quota-exceeded`
   */
  start(blob: BlobName, by: Pick<Device, 'id' | 'member'>, sizeBytes: number): Promise<number>;
  /**
   * Takes the bytes from `offset` on, as far as they are new: how many are safe then.
   * @throws RelayError `no-blob`, also for another device's; `wrong-offset`, `too-large`
   */
  write(blob: BlobName, device: DeviceId, offset: number, bytes: Uint8Array): Promise<number>;
  /** What there is of a stretch of a whole blob. @throws RelayError `no-blob`, also when its time is over and it is released */
  read(blob: BlobName, retention: Retention, offset: number, sizeBytes: number): Promise<Uint8Array>;
  /** The whole blobs whose time is over, and that are kept because something that may name them is not exported. */
  held(org: OrgId, retention: Retention): Promise<HeldBlobs>;
  /**
   * Deletes what a restore has left behind, and what is over: whole blobs the policy's `exportSeconds` after the upload, if
   * they are released, and others that take too long. What is held of all organisations.
   */
  forgetOld(retentionOf: RetentionOf): Promise<HeldBlobs>;
}

/** What `createBlobs` works with. */
export interface BlobsOptions {
  readonly index: BlobIndex;
  readonly bytes: BlobStore;
  /** What of the logs is exported. */
  readonly logs: Pick<EntryStore, 'firstDayHeld'>;
  readonly clock: Clock;
  readonly limits: Pick<RelayLimits, 'blobBytes' | 'blobBytesOfMember' | 'uploadMs'>;
}

/** Blobs over an index and a store of bytes: bytes are durable before the index counts them. */
export function createBlobs({ index, bytes: store, logs, clock, limits }: BlobsOptions): Blobs {
  const turns = new Map<string, Promise<unknown>>();

  /** One thing at a time happens to a blob. */
  async function inTurn<T>({ org, id }: BlobName, work: () => Promise<T>): Promise<T> {
    const key = `${org}/${id}`;
    const turn = (turns.get(key) ?? Promise.resolve()).then(work, work);
    const settled = turn.catch(() => undefined);
    turns.set(key, settled);
    try {
      return await turn;
    } finally {
      if (turns.get(key) === settled) turns.delete(key);
    }
  }

  /** Finishes what a restore has begun: only it knows that what the index does not have is nobody's. */
  async function dropUnknown(): Promise<void> {
    if (!(await index.isDropDue())) return;
    const isKnown = async (blob: BlobName): Promise<boolean> => (await index.readBlob(blob)) !== null;
    if (((await store.dropUnknown?.(isKnown)) ?? 0) > 0)
      throw new RelayError('blobs-failed', 'what a restore has left behind cannot be removed');
    await index.dropDone();
  }

  async function uploadOf(blob: BlobName, device: DeviceId): Promise<StoredBlob> {
    const stored = await index.readBlob(blob);
    if (stored === null || stored.device !== device) throw noBlob();
    return stored;
  }

  /** When whole blobs are over: by the clock alone, and if they are to be released as well. */
  async function overBeforeMs(org: OrgId, retention: Retention): Promise<{ due: number; released: number }> {
    const nowMs = clock.now();
    const releasedMs = await releasedUntilMs(logs, org, retention, nowMs);
    return { due: wholeBeforeMs(retention, nowMs), released: wholeBeforeMs(retention, releasedMs) };
  }

  async function held(org: OrgId, retention: Retention): Promise<HeldBlobs> {
    const { due, released } = await overBeforeMs(org, retention);
    return released < due ? await index.sumWhole(org, { fromMs: released, beforeMs: due }) : NONE;
  }

  /** As of now; `null` for an organisation that is not here. */
  async function oldBefore(org: OrgId, retentionOf: RetentionOf): Promise<OldBefore | null> {
    const retention = await retentionOf(org);
    if (retention === null) return null;
    const { released } = await overBeforeMs(org, retention);
    return { wholeBeforeMs: released, begunBeforeMs: clock.now() - limits.uploadMs };
  }

  /** What is over of one organisation goes. Resolves to what is kept beyond its time. */
  async function forgetOf(org: OrgId, retentionOf: RetentionOf): Promise<HeldBlobs> {
    const before = await oldBefore(org, retentionOf);
    if (before === null) return NONE;
    for (const blob of await index.listOldBlobs(org, before))
      await inTurn(blob, async () => {
        // Since it was listed, its upload may have become whole, or the policy have come to keep more.
        const now = await oldBefore(org, retentionOf);
        if (now === null || !isOld(await index.readBlob(blob), now)) return;
        // Bytes first: what is still in the index is found again.
        await store.remove(blob);
        await index.forgetBlob(blob);
      });
    const retention = await retentionOf(org);
    const still = retention === null ? NONE : await held(org, retention);
    await index.noteHeld(org, still.sizeBytes);
    return still;
  }

  return {
    held,
    start: (blob, { id: device, member }, sizeBytes) =>
      inTurn(blob, async () => {
        const outcome = await index.startBlob({
          ...blob,
          ...{ device, member, sizeBytes },
          nowMs: clock.now(),
          mostBytes: limits.blobBytes,
          mostBytesOfMember: limits.blobBytesOfMember,
        });
        if (outcome === 'quota-exceeded')
          throw new RelayError(outcome, 'the organisation, or the member, keeps as many bytes as it may');
        if (outcome !== 'started') throw new RelayError(outcome, 'another upload has this id');
        return (await uploadOf(blob, device)).receivedBytes;
      }),
    write: (blob, device, offset, bytes) =>
      inTurn(blob, async () => {
        const { receivedBytes: from, sizeBytes } = await uploadOf(blob, device);
        if (offset > from) throw new RelayError('wrong-offset', 'the upload has not come that far');
        const to = offset + bytes.length;
        if (to > sizeBytes) throw new RelayError('too-large', 'more than the upload was to have');
        if (to <= from) return from;
        await store.write(blob, from, bytes.subarray(from - offset));
        if (!(await index.growBlob(blob, { from, to, nowMs: clock.now() })))
          throw new RelayError('unavailable', 'the upload has changed meanwhile');
        return to;
      }),
    async read(blob, retention, offset, sizeBytes) {
      const stored = await index.readBlob(blob);
      if (stored === null || stored.receivedBytes < stored.sizeBytes) throw noBlob();
      const isDue = stored.touchedMs < wholeBeforeMs(retention, clock.now());
      if (isDue && stored.touchedMs < (await overBeforeMs(blob.org, retention)).released) throw noBlob();
      const end = Math.min(offset + sizeBytes, stored.sizeBytes);
      return end <= offset ? new Uint8Array() : await store.read(blob, offset, end - offset);
    },
    async forgetOld(retentionOf) {
      let kept = NONE;
      const failures: unknown[] = [];
      for (const org of await index.listBlobOrgs())
        try {
          const still = await forgetOf(org, retentionOf);
          kept = { count: kept.count + still.count, sizeBytes: kept.sizeBytes + still.sizeBytes };
        } catch (error) {
          // The others' go all the same.
          failures.push(error);
        }
      await dropUnknown();
      if (failures.length > 0) throw failures[0];
      return kept;
    },
  };
}

const NONE: HeldBlobs = { count: 0, sizeBytes: 0 };

type OldBefore = Parameters<BlobIndex['listOldBlobs']>[1];

function isOld(blob: StoredBlob | null, before: OldBefore): boolean {
  if (blob === null) return false;
  const isWhole = blob.receivedBytes === blob.sizeBytes;
  return blob.touchedMs < (isWhole ? before.wholeBeforeMs : before.begunBeforeMs);
}

function noBlob(): RelayError {
  return new RelayError('no-blob', 'no such blob, or its time is over');
}
