import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { Device, Policy } from '@keytide/key-directory/verify';
import type { BlobIndex, BlobName, StoredBlob } from './blob-index.ts';
import type { BlobStore } from './blob-store.ts';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';

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
  /** What there is of a stretch of a whole blob. @throws RelayError `no-blob`, also when its time is over */
  read(blob: BlobName, policy: Policy, offset: number, sizeBytes: number): Promise<Uint8Array>;
  /** Deletes what a restore has left behind, and what is over: whole blobs the policy's `exportSeconds` after the upload, others that take too long. */
  forgetOld(policyOf: (org: OrgId) => Promise<Policy | null>): Promise<void>;
}

/** What `createBlobs` works with. */
export interface BlobsOptions {
  readonly index: BlobIndex;
  readonly bytes: BlobStore;
  readonly clock: Clock;
  readonly limits: Pick<RelayLimits, 'blobBytes' | 'blobBytesOfMember' | 'uploadMs'>;
}

/** Blobs over an index and a store of bytes: bytes are durable before the index counts them. */
export function createBlobs({ index, bytes: store, clock, limits }: BlobsOptions): Blobs {
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

  return {
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
    async read(blob, policy, offset, sizeBytes) {
      const stored = await index.readBlob(blob);
      if (stored === null || stored.receivedBytes < stored.sizeBytes) throw noBlob();
      if (stored.touchedMs < wholeBeforeMs(policy, clock.now())) throw noBlob();
      const end = Math.min(offset + sizeBytes, stored.sizeBytes);
      return end <= offset ? new Uint8Array() : await store.read(blob, offset, end - offset);
    },
    async forgetOld(policyOf) {
      for (const org of await index.listBlobOrgs()) {
        const policy = await policyOf(org);
        if (policy === null) continue;
        const nowMs = clock.now();
        const before = {
          wholeBeforeMs: wholeBeforeMs(policy, nowMs),
          begunBeforeMs: nowMs - limits.uploadMs,
        };
        for (const blob of await index.listOldBlobs(org, before)) {
          await inTurn(blob, async () => {
            // Its upload may have gone on since it was listed, and be whole by now.
            if (!isOld(await index.readBlob(blob), before)) return;
            // Bytes first: what is still in the index is found again.
            await store.remove(blob);
            await index.forgetBlob(blob);
          });
        }
      }
      await dropUnknown();
    },
  };
}

function isOld(blob: StoredBlob | null, before: Parameters<BlobIndex['listOldBlobs']>[1]): boolean {
  if (blob === null) return false;
  const isWhole = blob.receivedBytes === blob.sizeBytes;
  return blob.touchedMs < (isWhole ? before.wholeBeforeMs : before.begunBeforeMs);
}

function wholeBeforeMs({ exportSeconds }: Policy, nowMs: number): number {
  return nowMs - exportSeconds * 1000;
}

function noBlob(): RelayError {
  return new RelayError('no-blob', 'no such blob, or its time is over');
}
