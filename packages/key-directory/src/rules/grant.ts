import { toHex } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import { requireAdmin, type Author, type EntryOf } from './standing.ts';

/**
 * `grant`: an admin records that they gave epoch keys to a device that had asked for them. The first answer to
 * a request is the one that counts.
 * @throws DirectoryError `not-permitted`, `unknown-device`, `unknown-group`, `already-granted`
 */
export function grantRule(facts: DirectoryFacts, entry: EntryOf<'grant'>, author: Author): Change {
  const { request, device, group } = entry.body;
  requireAdmin(author);
  if (facts.devices.get(device)?.revokedAt !== null)
    throw new DirectoryError('unknown-device', 'not an active device');
  if (group !== facts.everyone) throw new DirectoryError('unknown-group', 'no such group');
  const granted = toHex(request);
  if (facts.grants.has(granted)) throw new DirectoryError('already-granted', 'this request has its grant');
  return { granted };
}
