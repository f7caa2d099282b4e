import type { BodyOf } from '../entry-body.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/**
 * Records that a device was given the keys of a group's epochs, from first to last, on its request. Holds no key.
 * @throws DirectoryError `not-permitted`, `unknown-device`, `unknown-group`, `already-granted`
 */
export function createGrantRecord(
  context: WriteContext & { readonly grant: Omit<BodyOf<'grant'>, 'kind'> },
): Uint8Array {
  return writeEntry(context, { kind: 'grant', ...context.grant });
}
