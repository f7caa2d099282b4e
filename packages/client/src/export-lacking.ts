import type { ArchiveStats } from '@keytide/archive';

/** What an archive lacks that another device may still have. */
export type Lacking = 'keys-missing' | 'attachments-missing';

/**
 * What an archive lacks that another device may read, or be given; `null` for nothing. What the relay says it does not
 * have nobody is given, and what is not what its sender described is refused by every device: waiting for it would keep
 * everything else for ever, and one member could have it so.
 */
export function lackingIn({
  groups,
  attachments,
}: Pick<ArchiveStats, 'groups' | 'attachments'>): Lacking | null {
  if (groups.some(({ unreadable }) => Object.keys(unreadable).some((code) => KEYLESS.has(code))))
    return 'keys-missing';
  const isMissing = Object.keys(attachments.missing).some((code) => !NOBODYS.has(code));
  return isMissing ? 'attachments-missing' : null;
}

/** What no device is given. */
const NOBODYS: ReadonlySet<string> = new Set(['attachment-gone', 'tampered']);

/** What another device, or the archive key, may still read: an admin's keys last longer than an exporter's. */
const KEYLESS: ReadonlySet<string> = new Set([
  ...['ask-an-admin', 'expired-by-policy', 'key-not-yet-arrived', 'sealing-key-expired'],
]);
