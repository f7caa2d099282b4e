import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { FileCipher } from '../src/crypto/attachment.ts';

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
      encrypt: async (sink) => sink(await encrypter.encrypt(content)),
      decrypt: async (sink) => sink(await decrypter.decrypt(file)),
    };
  },
};

export default age;
