import { sign, verify } from 'node:crypto';
import type { Signer, Verifier } from '../primitives.ts';
import { checkedPublicKey, checkSeed, isStrictSignature } from '../strict-ed25519.ts';
import { importPrivate, importPublic, rawPublic } from './raw-key.ts';

/** Ed25519 of `Primitives.signer`. @throws CryptoError `bad-key` for a seed that is not 32 bytes */
export function signer(seed: Uint8Array): Signer {
  checkSeed(seed);
  const key = importPrivate('ed25519', seed);
  return { publicKey: rawPublic(key), sign: (message) => new Uint8Array(sign(null, message, key)) };
}

/** Ed25519 of `Primitives.verifier`. @throws CryptoError `bad-key` */
export function verifier(publicKey: Uint8Array): Verifier {
  const own = checkedPublicKey(publicKey);
  const key = importPublic('ed25519', own);
  return {
    publicKey: own,
    verify: (message, signature) => isStrictSignature(signature) && verify(null, message, key, signature),
  };
}
