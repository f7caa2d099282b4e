import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBoolean, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import { Secret } from '../secret.ts';
import { MAX_ATTACHMENT_BYTES, type AttachmentSize } from './layout.ts';

const VERSION = 1;
const SUITE = 1;
const MAX_DESCRIPTOR_BYTES = 128;

/**
 * What a message says of its attachment: all that is needed to read the ciphertext, and to know that it is
 * the sender's. Only for those who may read the message.
 */
export interface AttachmentDescriptor extends AttachmentSize {
  /** 32 bytes, random, of this attachment only. */
  readonly key: Secret;
  /**
   * 32 bytes: the Merkle root over the chunks' ciphertext. `null` leaves it out: then everyone who has the
   * key, not only the sender, could have made the ciphertext.
   */
  readonly root: Uint8Array | null;
}

/** CBOR `[1, suite, key, size, padded, root or null]`, about 80 bytes. As secret as the key that is in it. */
export function encodeAttachmentDescriptor(descriptor: AttachmentDescriptor): Uint8Array {
  const { key, sizeBytes, padded, root } = descriptor;
  return key.use((bytes) => encodeCbor([VERSION, SUITE, bytes, sizeBytes, padded, root]));
}

/** Reads a descriptor. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseAttachmentDescriptor(bytes: Uint8Array): AttachmentDescriptor {
  const fields = readArray(decodeCbor(bytes, MAX_DESCRIPTOR_BYTES), 'attachment descriptor', 6);
  readKnown(fields[0], 'attachment version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  return {
    key: Secret.own(readBytes(fields[2], 'attachment key', 32).slice()),
    sizeBytes: readUint(fields[3], 'attachment size', MAX_ATTACHMENT_BYTES),
    padded: readBoolean(fields[4], 'attachment padding'),
    root: fields[5] === null ? null : readBytes(fields[5], 'attachment root', 32).slice(),
  };
}
