import type { Primitives } from '@keytide/crypto-core';
import { MAX_AHEAD_MS } from '../admission.ts';
import { DirectoryError } from '../errors.ts';
import type { NoteKey } from './key.ts';
import type { SignedNote } from './note.ts';
import { isSameKey, verifyNote } from './verify-note.ts';

/** How many of which witnesses must have cosigned, and how lately. */
export interface WitnessPolicy {
  readonly keys: readonly NoteKey[];
  /** At least 1. */
  readonly threshold: number;
  readonly maxAgeSeconds: number;
}

/** A witness whose cosignature counts. */
export interface Witness {
  readonly key: NoteKey;
  /** Of its newest cosignature that counts, in seconds since 1970. */
  readonly timeSeconds: number;
}

/** Who cosigned lately, each key once, and whether they are enough. */
export interface WitnessVerdict {
  readonly cosigned: readonly Witness[];
  readonly isMet: boolean;
}

/**
 * Measures a note by a policy. A cosignature counts from `maxAgeSeconds` ago up to an hour ahead of
 * `nowSeconds`, since clocks differ; without the second limit a witness could cosign for the next years.
 * @param latestSeconds up to when it counts instead: for a reader whose `nowSeconds` follows what was signed
 * @throws DirectoryError `malformed` for a threshold below 1; as `verifyNote`
 */
export function witnessesOf(
  primitives: Primitives,
  note: SignedNote,
  policy: WitnessPolicy,
  nowSeconds: number,
  latestSeconds: number = nowSeconds + MAX_AHEAD_MS / 1000,
): WitnessVerdict {
  if (!Number.isInteger(policy.threshold) || policy.threshold < 1)
    throw new DirectoryError('malformed', 'a policy asks for at least one witness');
  const cosigned: Witness[] = [];
  for (const { key, timeSeconds } of verifyNote(primitives, note, policy.keys).verified) {
    if (timeSeconds === null || timeSeconds < nowSeconds - policy.maxAgeSeconds) continue;
    if (timeSeconds > latestSeconds) continue;
    const earlier = cosigned.findIndex((witness) => isSameKey(witness.key, key));
    if (earlier === -1) cosigned.push({ key, timeSeconds });
    else if ((cosigned[earlier] as Witness).timeSeconds < timeSeconds)
      cosigned[earlier] = { key, timeSeconds };
  }
  return { cosigned, isMet: cosigned.length >= policy.threshold };
}
