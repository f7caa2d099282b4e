/** What somebody can do about what is left to do, by its code. For pages and logs: no name, no path. */
export function nextStep(code: string): string {
  return NEXT[code] ?? 'See the table of codes in docs/guides/agent.md.';
}

const NOTHING = 'Nothing: it is tried again.';
const BUCKET = "Set the AWS_… variables of the agent, or see to the bucket and to this machine's clock.";
const RIGHTS = 'Give the user of the agent the right to write there; of a service also ReadWritePaths.';
const SET =
  'Put the archive-key.set of the archive key where the configuration says; the next archive has it.';

const NEXT: Readonly<Record<string, string>> = {
  unreachable: NOTHING,
  offline: NOTHING,
  'place-in-use': NOTHING,
  'vault-locked': NOTHING,
  'not-empty': NOTHING,
  'destination-failed': 'Look at the network and the service; it is tried again.',
  'destination-full': 'Make room at the first destination; it goes on from there.',
  ENOSPC: 'Make room on the disk; it goes on from there.',
  EDQUOT: 'Make room, or raise the quota of the user of the agent; it goes on from there.',
  EROFS: 'A disk can only be read: mount it so that it can be written to.',
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EIO: 'A disk cannot be read or written: look at it, and keep what is on it.',
  'approval-needed':
    'As many admins as are missing run `keytide approve-export` on the archive, each on a device of their own; then it goes on by itself.',
  'keys-missing':
    'Give the device access (`keytide access request`) and have a full archive (`keytide agent --full`), or set acknowledge to all.',
  'attachments-missing':
    'Have a full archive made by a device that is given them, or set acknowledge to all.',
  'begins-later': 'Settle the archive before, or have a full one: `keytide agent --full`.',
  unsound:
    '`keytide verify` says what is wrong. A disk that fails: replace it, then `keytide agent --full`. The log itself: the archives go on, and the relay is told of none until a full one is sound.',
  'copy-unsound': 'Look at the disk of that destination; `keytide verify` names the files.',
  'previous-unsound': 'Look at the disk; `keytide verify` says what is wrong; then `keytide agent --full`.',
  'archive-gone': 'Mount what the first destination is on, or have a full archive: `keytide agent --full`.',
  'not-there': 'Mount what that destination is on; an archive was there before.',
  'destination-gone': 'Mount what that destination is on; where it is new, make the folder.',
  'same-destination': 'Give each destination a place of its own.',
  'other-export':
    'Of a copy: move away what has its name there. Of an archive: nothing, the next has another name.',
  'secret-missing': BUCKET,
  'access-denied': BUCKET,
  'bucket-missing': BUCKET,
  'clock-skew': BUCKET,
  'no-recipient': 'Have the policy name an archive key, or give recipients in the configuration.',
  'not-permitted': 'An admin gives the member of this device the role exporter: `keytide role`.',
  'source-damaged': 'Join with a new device, and run the agent there.',
  'file-unreadable': SET,
  'not-a-set': SET,
  'altered-set': SET,
  'foreign-set': SET,
  'other-key': SET,
};
