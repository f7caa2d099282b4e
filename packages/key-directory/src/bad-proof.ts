import { DirectoryError } from './errors.ts';

/** The error for a proof that does not show what it is said to show. */
export function badProof(message: string): DirectoryError {
  return new DirectoryError('bad-proof', message);
}
