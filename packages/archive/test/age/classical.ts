import { createDecipheriv, createHash, diffieHellman, hkdfSync, scryptSync } from 'node:crypto';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { base64nopad, bech32 } from '@scure/base';
import { ArchiveError } from '../../src/errors.ts';
import type { AgeIdentity, Stanza } from '../../src/index.ts';

/** Identities that Keytide does not have, so that the published vectors reach what all kinds have in common. */

const malformed = () => new ArchiveError('malformed', 'not a stanza of this type');

/** X25519 (age-encryption.org/v1, "X25519 recipient"). */
export function x25519Identity(text: string): AgeIdentity {
  const secret = bech32.decodeToBytes(text).bytes;
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), secret]),
    format: 'der',
    type: 'pkcs8',
  });
  const own = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return unwrapping('X25519', ({ args, body }) => {
    if (args.length !== 2 || body.length !== 32) throw malformed();
    const share = decoded(args[1] as string);
    if (share.length !== 32) throw malformed();
    const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), share]);
    let secretShared: Buffer;
    try {
      const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      secretShared = diffieHellman({ privateKey: key, publicKey });
    } catch {
      throw malformed();
    }
    if (secretShared.every((byte) => byte === 0)) throw malformed();
    const salt = Buffer.concat([share, own]);
    const wrapping = hkdfSync('sha256', secretShared, salt, 'age-encryption.org/v1/X25519', 32);
    return open(new Uint8Array(wrapping), body);
  });
}

/** scrypt (age-encryption.org/v1, "scrypt recipient"): alone in its header. */
export function scryptIdentity(passphrase: string): AgeIdentity {
  const ofType = unwrapping('scrypt', ({ args, body }) => {
    const [, salt64, work] = args;
    if (args.length !== 3 || body.length !== 32 || !/^[1-9][0-9]*$/.test(work as string)) throw malformed();
    const salt = decoded(salt64 as string);
    if (salt.length !== 16 || Number(work) > 22) throw malformed();
    const salted = Buffer.concat([Buffer.from('age-encryption.org/v1/scrypt'), salt]);
    const N = 2 ** Number(work);
    return open(scryptSync(passphrase, salted, 32, { N, r: 8, p: 1, maxmem: 2 ** 33 }), body);
  });
  return {
    unwrap(stanzas) {
      const isScrypt = ({ args }: Stanza): boolean => args[0] === 'scrypt';
      if (stanzas.some(isScrypt) && stanzas.length > 1) throw malformed();
      return ofType.unwrap(stanzas);
    },
  };
}

function unwrapping(type: string, unwrapOne: (stanza: Stanza) => Uint8Array | null): AgeIdentity {
  return {
    unwrap(stanzas) {
      const keys = stanzas.filter(({ args }) => args[0] === type).map(unwrapOne);
      return keys.find((key) => key !== null) ?? null;
    },
  };
}

function open(key: Uint8Array, body: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv('chacha20-poly1305', key, new Uint8Array(12), { authTagLength: 16 });
  decipher.setAuthTag(body.subarray(-16));
  const plain = decipher.update(body.subarray(0, -16));
  try {
    decipher.final();
    return new Uint8Array(plain);
  } catch {
    return null;
  }
}

function decoded(text: string): Uint8Array {
  try {
    return base64nopad.decode(text);
  } catch {
    throw malformed();
  }
}

/** SHA-256 in hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
