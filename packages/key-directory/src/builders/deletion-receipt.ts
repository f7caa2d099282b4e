import type { BodyOf } from '../entry-body.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/**
 * The relay's receipt for what it has deleted; `signer` holds the policy's relay key.
 * @throws DirectoryError `unknown-author`, `unknown-group`, `wrong-stretch`
 */
export function createDeletionReceipt(
  context: WriteContext & { readonly deleted: Omit<BodyOf<'deletion-receipt'>, 'kind'> },
): Uint8Array {
  return writeEntry(context, { kind: 'deletion-receipt', ...context.deleted });
}
