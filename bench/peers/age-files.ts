import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { AgeProgram } from '../src/archive/age.ts';

const PIECE_BYTES = 1_048_576;

/** age in JavaScript, from one file to another. */
export default async function ageInJavaScript(): Promise<AgeProgram> {
  const identity = await generateX25519Identity();
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return {
    name: 'age in JavaScript',
    seal: async (from, to) => written(await encrypter.encrypt(streamOf(from)), to),
    open: async (from, to) => written(await decrypter.decrypt(streamOf(from)), to),
  };
}

function streamOf(path: string): ReadableStream<Uint8Array> {
  return Readable.toWeb(createReadStream(path, { highWaterMark: PIECE_BYTES })) as ReadableStream<Uint8Array>;
}

function written(stream: ReadableStream<Uint8Array>, to: string): Promise<void> {
  return pipeline(
    Readable.fromWeb(stream as NodeStream),
    createWriteStream(to, { highWaterMark: 4 * PIECE_BYTES }),
  );
}
