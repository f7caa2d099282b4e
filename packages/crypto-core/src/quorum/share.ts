import { concatBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import type { Primitives } from '../primitives.ts';
import { Secret } from '../secret.ts';

const VERSION = 1;
const SET_ID_BYTES = 16;
export const SALT_BYTES = 16;
export const VALUE_BYTES = 32;
/** version ‖ set id [16] ‖ index ‖ salt [16] ‖ value [32]. */
export const SHARE_BYTES: number = 1 + SET_ID_BYTES + 1 + SALT_BYTES + VALUE_BYTES;

/** The parts of a share; `salt` and `value` are secret, and views into the share. */
export interface ShareFields {
  readonly setId: Uint8Array;
  /** 1 … N; 0 would be the place of the secret itself, and is for the caller to refuse. */
  readonly index: number;
  readonly salt: Uint8Array;
  readonly value: Uint8Array;
}

/** The 66 bytes that a holder keeps. */
export function encodeShare({ setId, index, salt, value }: ShareFields): Secret {
  return Secret.own(concatBytes(Uint8Array.of(VERSION), setId, Uint8Array.of(index), salt, value));
}

/** Reads a share of any set. @throws CryptoError `malformed`, `unsupported-version` */
export function parseShare(bytes: Uint8Array): ShareFields {
  if (bytes.length !== SHARE_BYTES) throw new CryptoError('malformed', `a share has ${SHARE_BYTES} bytes`);
  if (bytes[0] !== VERSION) throw new CryptoError('unsupported-version', 'unknown share version');
  return {
    setId: bytes.subarray(1, 17),
    index: bytes[17] as number,
    salt: bytes.subarray(18, 34),
    value: bytes.subarray(34),
  };
}

/**
 * What the dealer signs of a share: a salted hash, 32 public bytes. Not a Feldman commitment, which a quantum
 * computer could read.
 */
export function shareCommitment(primitives: Primitives, share: ShareFields): Uint8Array {
  const { setId, index, salt, value } = share;
  return labelledHash(primitives, 'quorumShare', setId, Uint8Array.of(index), salt, value);
}
