import { CryptoError, type Decapsulator, type Encapsulator, type Primitives } from '@keytide/crypto-core';
import { base64nopad } from '@scure/base';
import { base64, malformed, type Stanza } from './header.ts';
import { hpkeContext } from './hpke.ts';

/** What can find a file's key in the stanzas of its header. */
export interface AgeIdentity {
  /** The key to which such files are sealed, where it is an X-Wing key: 1,216 bytes. */
  readonly publicKey?: Uint8Array;
  /** 16 bytes, or `null` when the file is not for it. @throws ArchiveError `malformed` for a stanza that is none */
  unwrap(stanzas: readonly Stanza[]): Uint8Array | null;
}

const TYPE = 'mlkem768x25519';
const INFO = 'age-encryption.org/mlkem768x25519';
const ENCAPSULATED_BYTES = 1_120;
const WRAPPED_BYTES = 32;
const NOTHING = new Uint8Array();

/** Seals a file's key (16 bytes) to an X-Wing key: HPKE in one stanza (age-encryption.org/v1, "hybrid recipient"). */
export function wrapHybrid(primitives: Primitives, to: Encapsulator, fileKey: Uint8Array): Stanza {
  const { ciphertext, sharedSecret } = to.encapsulate();
  const sealing = hpkeContext(primitives, sharedSecret, INFO);
  const body = primitives.aeadSeal({ ...sealing, associated: NOTHING, data: fileKey });
  for (const used of [sharedSecret, sealing.key]) used.fill(0);
  return { args: [TYPE, base64nopad.encode(ciphertext)], body };
}

/** Finds a file's key with an X-Wing key. */
export function hybridIdentity(primitives: Primitives, key: Decapsulator): AgeIdentity {
  function open({ args, body }: Stanza): Uint8Array | null {
    if (args.length !== 2 || body.length !== WRAPPED_BYTES) throw malformed();
    const encapsulated = base64(args[1] as string);
    if (encapsulated.length !== ENCAPSULATED_BYTES) throw malformed();
    const sharedSecret = decapsulated(key, encapsulated);
    const sealing = hpkeContext(primitives, sharedSecret, INFO);
    try {
      return primitives.aeadOpen({ ...sealing, associated: NOTHING, data: body });
    } catch (error) {
      if (error instanceof CryptoError && error.code === 'decryption-failed') return null;
      throw error;
    } finally {
      for (const used of [sharedSecret, sealing.key]) used.fill(0);
    }
  }

  return {
    publicKey: key.publicKey,
    unwrap(stanzas) {
      let fileKey: Uint8Array | null = null;
      // All of them: a damaged one is told, wherever it stands.
      for (const stanza of stanzas) if (stanza.args[0] === TYPE) fileKey = open(stanza) ?? fileKey;
      return fileKey;
    },
  };
}

/** @throws ArchiveError `malformed` for a ciphertext whose secret anybody knows */
function decapsulated(key: Decapsulator, encapsulated: Uint8Array): Uint8Array {
  try {
    return key.decapsulate(encapsulated);
  } catch (error) {
    if (error instanceof CryptoError) throw malformed();
    throw error;
  }
}
