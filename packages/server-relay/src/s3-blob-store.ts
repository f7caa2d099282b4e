import { LIMITS } from '@keytide/relay-protocol';
import type { BlobName } from './blob-index.ts';
import type { BlobStore } from './blob-store.ts';
import { RelayError } from './errors.ts';
import type { S3Bucket } from './keys/s3-bucket.ts';

/** What a client hands in at once: four chunks with their tags. The next request begins where a block does. */
const BLOCK_BYTES = LIMITS.blobPieceBytes / 4;
/** Others who write to one block at the same moment; then something is wrong. */
const ATTEMPTS = 8;
const DELETES_AT_ONCE = 16;

/** Blobs in a bucket: ORG/BLOB/N, blocks of 262,208 bytes, none but the last of them shorter. */
export function s3BlobStore(bucket: S3Bucket): BlobStore {
  const folderOf = ({ org, id }: BlobName): string => `${org}/${id}/`;

  /** What is there beside the stretch stays, also when another relay writes it meanwhile. */
  async function patch(key: string, at: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length === BLOCK_BYTES) return void (await bucket.put(key, bytes));
    if (at === 0 && (await bucket.put(key, bytes, 'absent')) !== null) return;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = await bucket.get(key);
      if (at > (before?.bytes.length ?? 0)) throw new RangeError('beyond the end');
      const after = new Uint8Array(Math.max(before?.bytes.length ?? 0, at + bytes.length));
      after.set(before?.bytes ?? []);
      after.set(bytes, at);
      const when = before === null ? 'absent' : { tag: before.tag };
      if ((await bucket.put(key, after, when)) !== null) return;
    }
    throw new Error('others write to it all the time');
  }

  async function readStretch(key: string, from: number, to: number): Promise<Uint8Array> {
    const block = await bucket.get(key);
    if (block === null || block.bytes.length < to) throw new RangeError('not that long');
    return block.bytes.subarray(from, to);
  }

  return {
    write: (blob, offset, bytes) =>
      inRelayTerms(async () => {
        const parts = stretches(offset, bytes.length);
        const writes = parts.map(({ block, from, to, at }) =>
          patch(folderOf(blob) + block, from, bytes.subarray(at, at + to - from)),
        );
        // All of them: what is still under way must not come after what follows.
        const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected');
        if (failed?.status === 'rejected') throw failed.reason;
      }),
    read: (blob, offset, sizeBytes) =>
      inRelayTerms(async () => {
        const parts = stretches(offset, sizeBytes);
        const read = parts.map(({ block, from, to }) => readStretch(folderOf(blob) + block, from, to));
        return new Uint8Array(Buffer.concat(await Promise.all(read)));
      }),
    remove: (blob) =>
      inRelayTerms(async () => {
        let last = '';
        for (;;) {
          const keys = await bucket.list(folderOf(blob));
          if (keys.length === 0) return;
          if (keys[0] === last) throw new Error('what is deleted stays');
          last = keys[0] as string;
          for (let next = 0; next < keys.length; next += DELETES_AT_ONCE)
            await Promise.all(keys.slice(next, next + DELETES_AT_ONCE).map((key) => bucket.delete(key)));
        }
      }),
  };
}

interface Stretch {
  readonly block: number;
  /** Within the block. */
  readonly from: number;
  readonly to: number;
  /** Within the whole. */
  readonly at: number;
}

function stretches(offset: number, sizeBytes: number): readonly Stretch[] {
  const [first, end] = [Math.floor(offset / BLOCK_BYTES), offset + sizeBytes];
  return Array.from({ length: Math.ceil(end / BLOCK_BYTES) - first }, (_, index) => {
    const start = (first + index) * BLOCK_BYTES;
    const from = Math.max(offset, start);
    const to = Math.min(end, start + BLOCK_BYTES);
    return { block: first + index, from: from - start, to: to - start, at: from - offset };
  });
}

async function inRelayTerms<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof RelayError ? cause.reason : null;
    throw new RelayError('blobs-failed', 'the bytes of a blob cannot be written or read', {
      cause,
      ...(reason === null ? {} : { reason }),
    });
  }
}
