import { equalBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readKnown } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import type { Primitives } from '../primitives.ts';
import { openAttachmentChunk } from './chunk.ts';
import {
  addChunk,
  chunkRoot,
  hashesFromCbor,
  hashesToCbor,
  startHashes,
  type ChunkHashes,
} from './chunk-hashes.ts';
import type { AttachmentDescriptor } from './descriptor.ts';
import { chunkCount, ciphertextBytes, SEALED_CHUNK_BYTES, sealedChunkBytes } from './layout.ts';

const CHECKPOINT_VERSION = 1;
const MAX_CHECKPOINT_BYTES = 4096;

/** Turns ciphertext back into content, chunk by chunk, in memory that does not grow with it. */
export interface AttachmentOpener {
  /**
   * Takes the next ciphertext, in pieces of any size; gives the content of the chunks that are complete.
   * After a throw, every later call throws the same.
   * @throws CryptoError `decryption-failed`: a byte altered, a chunk missing, repeated, or out of its place
   * @throws CryptoError `malformed`: bytes after the last chunk, or padding that is not zeros
   * @throws CryptoError `content-mismatch`: made by somebody else who knows the key; the last chunk is withheld
   */
  push(ciphertext: Uint8Array): Uint8Array[];
  /** Says that no more comes. @throws CryptoError `truncated` unless the last chunk was opened */
  end(): void;
  /** The byte of the ciphertext at which the checkpoint of this moment goes on. */
  readonly resumeOffset: number;
  /** All that is needed to go on later, at most 1 KiB: hashes and a number, nothing secret. */
  checkpoint(): Uint8Array;
}

/**
 * Starts reading an attachment, or goes on from a checkpoint with the ciphertext from `resumeOffset` on.
 * What was given is authentic to everyone who trusts the holders of the key. That the whole is the sender's
 * own is known when `end` has returned.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version` for a checkpoint that is not one of it
 */
export function openAttachment(
  primitives: Primitives,
  descriptor: AttachmentDescriptor,
  checkpoint?: Uint8Array,
): AttachmentOpener {
  const chunks = chunkCount(descriptor);
  const buffer = new Uint8Array(Math.min(SEALED_CHUNK_BYTES, ciphertextBytes(descriptor)));
  let buffered = 0;
  let hashes = checkpoint
    ? readCheckpoint(primitives, descriptor, checkpoint)
    : startHashes(descriptor.root !== null);
  // Only what was given counts: content that a failing call had opened was never seen by the caller.
  let given = hashes;
  let failure: unknown = null;

  const open = (sealed: Uint8Array): Uint8Array => {
    const content = openAttachmentChunk(primitives, descriptor, hashes.chunks, sealed);
    hashes = addChunk(primitives, hashes, sealed);
    if (hashes.chunks === chunks) verifyRoot(primitives, descriptor, hashes);
    return content;
  };

  const take = (ciphertext: Uint8Array): Uint8Array[] => {
    const opened: Uint8Array[] = [];
    let offset = 0;
    while (offset < ciphertext.length) {
      if (hashes.chunks === chunks) throw new CryptoError('malformed', 'bytes after the last chunk');
      const wanted = sealedChunkBytes(descriptor, hashes.chunks);
      const taken = ciphertext.subarray(offset, offset + wanted - buffered);
      offset += taken.length;
      if (taken.length === wanted) opened.push(open(taken));
      else {
        buffer.set(taken, buffered);
        buffered += taken.length;
        if (buffered < wanted) continue;
        buffered = 0;
        opened.push(open(buffer.subarray(0, wanted)));
      }
    }
    return opened;
  };

  return {
    get resumeOffset() {
      return Math.min(given.chunks * SEALED_CHUNK_BYTES, ciphertextBytes(descriptor));
    },
    push(ciphertext) {
      if (failure !== null) throw failure;
      try {
        const opened = take(ciphertext);
        given = hashes;
        return opened;
      } catch (error) {
        failure = error;
        throw error;
      }
    },
    end() {
      if (failure !== null) throw failure;
      if (hashes.chunks < chunks)
        throw new CryptoError('truncated', 'the attachment ends before its last chunk');
    },
    checkpoint: () => encodeCbor([CHECKPOINT_VERSION, hashesToCbor(given)]),
  };
}

function verifyRoot(primitives: Primitives, { root }: AttachmentDescriptor, hashes: ChunkHashes): void {
  const own = chunkRoot(primitives, hashes);
  if (root !== null && (own === null || !equalBytes(own, root)))
    throw new CryptoError('content-mismatch', 'not the ciphertext that the sender described');
}

function readCheckpoint(
  primitives: Primitives,
  descriptor: AttachmentDescriptor,
  checkpoint: Uint8Array,
): ChunkHashes {
  const chunks = chunkCount(descriptor);
  const fields = readArray(decodeCbor(checkpoint, MAX_CHECKPOINT_BYTES), 'checkpoint', 2);
  readKnown(fields[0], 'checkpoint version', CHECKPOINT_VERSION);
  const hashes = hashesFromCbor(fields[1]);
  if ((hashes.frontier === null) !== (descriptor.root === null) || hashes.chunks > chunks)
    throw new CryptoError('malformed', 'not a checkpoint of this attachment');
  if (hashes.chunks === chunks) verifyRoot(primitives, descriptor, hashes);
  return hashes;
}
