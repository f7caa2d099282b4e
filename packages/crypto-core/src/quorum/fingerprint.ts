import { labelledHash } from '../hash.ts';
import { hkdfExpand } from '../hkdf.ts';
import { labelled } from '../labels.ts';
import type { Primitives } from '../primitives.ts';
import type { Secret } from '../secret.ts';

/** What the shared 32 bytes are: the seed of a key pair of suite 1, or a key without a public half. */
export type QuorumSecretKind = 'key' | 'x-wing-seed' | 'ed25519-seed';

/** The kinds by their number on the wire. */
export const SECRET_KINDS: readonly QuorumSecretKind[] = ['key', 'x-wing-seed', 'ed25519-seed'];

/**
 * What tells that a recombined secret is the right one: 32 public bytes. A seed is known by its public key;
 * a key by an HKDF output, which gives nothing away of 32 random bytes.
 */
export function secretFingerprint(
  primitives: Primitives,
  kind: QuorumSecretKind,
  secret: Secret,
): Uint8Array {
  return secret.use((bytes) => {
    if (kind === 'x-wing-seed')
      return publicKeyFingerprint(primitives, kind, primitives.decapsulator(bytes).publicKey);
    if (kind === 'ed25519-seed')
      return publicKeyFingerprint(primitives, kind, primitives.signer(bytes).publicKey);
    return hkdfExpand(primitives, bytes, labelled('quorumFingerprint', kindByte(kind)), 32);
  });
}

/** The fingerprint of the seed that belongs to a public key. */
export function publicKeyFingerprint(
  primitives: Primitives,
  kind: Exclude<QuorumSecretKind, 'key'>,
  publicKey: Uint8Array,
): Uint8Array {
  return labelledHash(primitives, 'quorumFingerprint', kindByte(kind), publicKey);
}

function kindByte(kind: QuorumSecretKind): Uint8Array {
  return Uint8Array.of(SECRET_KINDS.indexOf(kind));
}
