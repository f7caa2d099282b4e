import { CryptoError, decodeCbor, type MessageBody } from '@keytide/crypto-core';
import { readArray, readBytes, readKnown, readUint } from '../src/cbor-fields.ts';

/** The obvious twin of `readBody`: decodes any CBOR, then looks at the fields. */
export function readBodyByDecoding(bytes: Uint8Array): MessageBody | string {
  try {
    const fields = readArray(decodeCbor(bytes, 256 * 1024), 'body', 4);
    readKnown(fields[0], 'version', 1);
    const heads = readArray(fields[2], 'heads', 4);
    const checkpoint = (at: number) => ({
      size: readUint(heads[at], 'size'),
      root: readBytes(heads[at + 1], 'root', 32),
    });
    return {
      previousLink: readBytes(fields[1], 'link', 32),
      heads: { directory: checkpoint(0), group: checkpoint(2) },
      payload: readBytes(fields[3], 'payload'),
    };
  } catch (error) {
    if (error instanceof CryptoError) return error.code;
    throw error;
  }
}
