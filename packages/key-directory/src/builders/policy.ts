import type { Policy } from '../policy.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/**
 * Puts `policy`, whole, in the place of the present one.
 * @throws DirectoryError `malformed`, `not-permitted`, `unchanged`, `too-few-admins`, `bad-key`, `id-reused`, `approval-needed`
 */
export function createPolicyChange(context: WriteContext & { readonly policy: Policy }): Uint8Array {
  return writeEntry(context, { kind: 'policy', policy: context.policy });
}
