import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBoolean, readBytes, readKnown } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import type { Primitives, Random } from '../primitives.ts';
import { Secret } from '../secret.ts';
import { sealChunk } from './chunk.ts';
import {
  addChunk,
  chunkRoot,
  hashesFromCbor,
  hashesToCbor,
  startHashes,
  type ChunkHashes,
} from './chunk-hashes.ts';
import type { AttachmentDescriptor } from './descriptor.ts';
import { CHUNK_BYTES, MAX_ATTACHMENT_BYTES, paddedBytes } from './layout.ts';

const CHECKPOINT_VERSION = 1;
const MAX_CHECKPOINT_BYTES = 4096;

/** Input of `sealAttachment`. */
export interface SealAttachmentInput {
  readonly primitives: Primitives;
  readonly random: Random;
  /** Hide the length among few lengths; costs up to 12 %, 3 % for a large file. Default true. */
  readonly padded?: boolean;
  /**
   * Put the root of the ciphertext into the descriptor, so that nobody but the sender can have made it.
   * Default true. Hashing takes about as long as encrypting; without it, use the attachment only where its
   * readers need not tell the sender from each other.
   */
  readonly bound?: boolean;
}

/** Turns content into ciphertext, chunk by chunk, in memory that does not grow with it. */
export interface AttachmentSealer {
  /** Takes the next content, in pieces of any size; gives the ciphertext that is complete, to send in order. */
  push(content: Uint8Array): Uint8Array[];
  /**
   * Ends the content; gives the rest of the ciphertext, chunk by chunk. Nothing can be pushed any more.
   * @throws CryptoError `truncated` when nothing followed a checkpoint, after which there always is a byte
   */
  end(): Generator<Uint8Array, void>;
  /** What goes into the message. @throws CryptoError `truncated` before `end` has given everything */
  descriptor(): AttachmentDescriptor;
  /** The byte of the content at which the checkpoint of this moment goes on. */
  readonly resumeOffset: number;
  /** All that `resumeSealing` needs, at most 1 KiB. Holds the key: it belongs into the vault. */
  checkpoint(): Uint8Array;
}

/** Starts an attachment under a fresh key: docs/spec/attachment.md. */
export function sealAttachment(input: SealAttachmentInput): AttachmentSealer {
  const { primitives, random, padded = true, bound = true } = input;
  const key = Secret.own(random(32));
  return sealer({ primitives, key, padded, hashes: startHashes(bound) });
}

/**
 * Goes on from a checkpoint. The caller pushes the content from `resumeOffset` on.
 *
 * The content MUST be what it was: two plaintexts for one chunk would share key and nonce and give both away.
 * When the file may have changed, start a new attachment instead.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`
 */
export function resumeSealing(primitives: Primitives, checkpoint: Uint8Array): AttachmentSealer {
  const fields = readArray(decodeCbor(checkpoint, MAX_CHECKPOINT_BYTES), 'checkpoint', 4);
  readKnown(fields[0], 'checkpoint version', CHECKPOINT_VERSION);
  const key = Secret.own(readBytes(fields[1], 'attachment key', 32).slice());
  const padded = readBoolean(fields[2], 'attachment padding');
  return sealer({ primitives, key, padded, hashes: hashesFromCbor(fields[3]) });
}

/** Seals anew what a descriptor describes. For `contentCheck` alone: other content under this key would give both away. */
export function resealAttachment(
  primitives: Primitives,
  { key, padded, root }: AttachmentDescriptor,
): AttachmentSealer {
  return sealer({ primitives, key, padded, hashes: startHashes(root !== null) });
}

interface Start {
  readonly primitives: Primitives;
  readonly key: Secret;
  readonly padded: boolean;
  readonly hashes: ChunkHashes;
}

function sealer({ primitives, key, padded, hashes: start }: Start): AttachmentSealer {
  const buffer = new Uint8Array(CHUNK_BYTES);
  let buffered = 0;
  let hashes = start;
  let resumable = start;
  let sizeBytes = start.chunks * CHUNK_BYTES;
  let state: 'open' | 'ending' | 'ended' = 'open';

  const seal = (data: Uint8Array, last: boolean): Uint8Array => {
    const position = { index: hashes.chunks, last };
    const sealed = key.use((bytes) => sealChunk(primitives, bytes, position, data));
    hashes = addChunk(primitives, hashes, sealed);
    return sealed;
  };

  return {
    get resumeOffset() {
      return resumable.chunks * CHUNK_BYTES;
    },
    push(content) {
      if (state !== 'open') throw new CryptoError('malformed', 'this attachment has ended');
      sizeBytes += content.length;
      if (sizeBytes > MAX_ATTACHMENT_BYTES)
        throw new CryptoError('too-large', 'an attachment has at most 1 TiB');
      const chunks: Uint8Array[] = [];
      let offset = 0;
      // A full chunk waits until there is more: it might be the last, which is sealed differently.
      while (buffered + content.length - offset > CHUNK_BYTES) {
        if (buffered === 0) {
          chunks.push(seal(content.subarray(offset, offset + CHUNK_BYTES), false));
          offset += CHUNK_BYTES;
        } else {
          const taken = CHUNK_BYTES - buffered;
          buffer.set(content.subarray(offset, offset + taken), buffered);
          chunks.push(seal(buffer, false));
          offset += taken;
          buffered = 0;
        }
      }
      buffer.set(content.subarray(offset), buffered);
      buffered += content.length - offset;
      resumable = hashes;
      return chunks;
    },
    *end() {
      if (state !== 'open') throw new CryptoError('malformed', 'this attachment has ended');
      if (buffered === 0 && hashes.chunks > 0)
        throw new CryptoError('truncated', 'the content is shorter than when it was started');
      state = 'ending';
      buffer.fill(0, buffered);
      const total = paddedBytes({ sizeBytes, padded });
      do {
        const left = total - hashes.chunks * CHUNK_BYTES;
        yield seal(buffer.subarray(0, left), left <= CHUNK_BYTES);
        buffer.fill(0);
      } while (hashes.chunks * CHUNK_BYTES < total);
      state = 'ended';
    },
    descriptor() {
      if (state !== 'ended') throw new CryptoError('truncated', 'this attachment has not ended');
      return { key, sizeBytes, padded, root: chunkRoot(primitives, hashes) };
    },
    checkpoint: () =>
      key.use((bytes) => encodeCbor([CHECKPOINT_VERSION, bytes, padded, hashesToCbor(resumable)])),
  };
}
