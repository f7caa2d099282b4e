import type { Primitives } from '@keytide/crypto-core';
import { DirectoryError, parseEntry, type Entry } from '@keytide/key-directory/verify';
import { RelayError } from './errors.ts';

/** Reads an entry that somebody handed in. @throws RelayError `malformed`, `too-large`, `unsupported-version` */
export function readEntry(primitives: Primitives, wire: Uint8Array): Entry {
  try {
    return parseEntry(primitives, wire);
  } catch (cause) {
    const reason = cause instanceof DirectoryError ? cause.code : 'malformed';
    const code = reason === 'too-large' || reason === 'unsupported-version' ? reason : 'malformed';
    throw new RelayError(code, 'not an entry of a membership log', { cause });
  }
}

/** Runs the membership rules. @throws RelayError `entry-refused`, with the rule as `reason` */
export function judged<T>(judge: () => T): T {
  try {
    return judge();
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    throw new RelayError('entry-refused', `the membership rules refuse this entry: ${cause.code}`, {
      cause,
      reason: cause.code,
    });
  }
}
