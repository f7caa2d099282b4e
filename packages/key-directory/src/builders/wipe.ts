import type { WipeTarget } from '../entry-body.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/**
 * Orders devices to destroy what they hold, and ends them. Their members stay; a new device takes an `invite-device`.
 * @throws DirectoryError `not-permitted`, `unknown-device`, `unknown-member`, `unchanged`, `last-admin`, `approval-needed`
 */
export function createWipe(context: WriteContext & { readonly target: WipeTarget }): Uint8Array {
  return writeEntry(context, { kind: 'wipe', target: context.target });
}
