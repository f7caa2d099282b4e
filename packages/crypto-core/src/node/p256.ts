import { createECDH, createPrivateKey, sign } from 'node:crypto';
import { toBase64Url } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Signer } from '../primitives.ts';

/**
 * ECDSA over P-256 with SHA-256, for services that take nothing else, such as Web Push (RFC 8292). Signatures have 64
 * bytes, r ‖ s; the public key 65, uncompressed. Nothing of Keytide's own is signed by it.
 * @throws CryptoError `bad-key` for anything but 32 bytes from 1 to the order of the group
 */
export function p256Signer(privateKey: Uint8Array): Signer {
  const pair = createECDH('prime256v1');
  try {
    if (privateKey.length !== 32) throw new CryptoError('bad-key', 'a private key of P-256 has 32 bytes');
    pair.setPrivateKey(privateKey);
  } catch (cause) {
    throw new CryptoError('bad-key', 'not a private key of P-256', { cause });
  }
  const publicKey = new Uint8Array(pair.getPublicKey());
  const [x, y, d] = [publicKey.subarray(1, 33), publicKey.subarray(33), privateKey].map(toBase64Url);
  const jwk = { kty: 'EC', crv: 'P-256', x, y, d } as Record<string, string>;
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return {
    publicKey,
    sign: (message) => new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })),
  };
}
