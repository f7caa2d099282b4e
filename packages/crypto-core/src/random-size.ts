import { CryptoError } from './errors.ts';

/** Refuses what is no number of bytes: a generator that gave fewer than were meant would give guessable keys. @throws CryptoError `malformed` */
export function checkRandomSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new CryptoError('malformed', 'randomness comes in whole bytes');
}
