import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { FileCipher, Sink } from '../src/crypto/attachment.ts';

const PIECE_BYTES = 65_536;

/** age in JavaScript: ChaCha20-Poly1305 in chunks of 64 KiB, as ours; no hash in a message that is signed. */
const age: FileCipher = {
  name: 'age in JavaScript (unsigned)',
  async prepare(content) {
    const identity = await generateX25519Identity();
    const encrypter = new Encrypter();
    encrypter.addRecipient(await identityToRecipient(identity));
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const file = await encrypter.encrypt(content);
    return {
      encrypt: async (sink) => drain(await encrypter.encrypt(streamOf(content)), sink),
      decrypt: async (sink) => drain(await decrypter.decrypt(streamOf(file)), sink),
    };
  },
};

/** As a stream, which age does faster than one array. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + PIECE_BYTES));
      at += PIECE_BYTES;
    },
  });
}

async function drain(stream: ReadableStream<Uint8Array>, sink: Sink): Promise<void> {
  for await (const piece of stream) sink(piece);
}

export default age;
