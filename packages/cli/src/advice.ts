import { EXIT, type ExitCode } from './exit-codes.ts';

/** What to do about an error of ours, and the exit code it ends with. */
export interface Advice {
  readonly next: string;
  readonly exitCode: ExitCode;
}

/**
 * The advice for an error of one of our packages, by the name of its class and its code; for refusals by the
 * relay also by the relay's code. `null` where there is none: then nothing of the error may be shown.
 */
export function adviceFor(className: string, code: string, relayCode: string | null): Advice | null {
  const refusal = relayCode === null ? undefined : REFUSALS[relayCode];
  return refusal ?? ADVICE[className]?.[code] ?? DEFAULTS[className] ?? null;
}

/** The advice for an error of the system: what was written before it stays, so that the same command goes on. */
export function systemAdvice(code: string | undefined): string {
  return SYSTEM[code ?? ''] ?? 'Check rights and free space, or choose another folder.';
}

const usage = (next: string): Advice => ({ next, exitCode: EXIT.usage });
const locked = (next: string): Advice => ({ next, exitCode: EXIT.locked });
const unreachable = (next: string): Advice => ({ next, exitCode: EXIT.unreachable });
const refused = (next: string): Advice => ({ next, exitCode: EXIT.refused });
const misbehaved = (next: string): Advice => ({ next, exitCode: EXIT.misbehaved });
const unexpected = (next: string): Advice => ({ next, exitCode: EXIT.unexpected });

const NO_RIGHT =
  'Give this user the right to write there (`ls -ld` shows it; for a service also ReadWritePaths), or choose another folder; then run the same command again.';
const SYSTEM: Readonly<Record<string, string>> = {
  EROFS:
    'That disk can only be read: mount it so that it can be written to, or choose another folder; then run the same command again.',
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  ENOSPC: 'The disk is full: make room, and run the same command again.',
  EDQUOT: 'The quota of this user is used up: make room or raise it, and run the same command again.',
  EIO: 'The disk cannot be read or written: look at it before anything else, and keep what is on it.',
  ENOENT: 'It is not there: check the path, and whether the disk that it is on is mounted.',
};
const NO_ARCHIVE: Advice = {
  next: 'It is no archive, or a damaged one: get another copy.',
  exitCode: EXIT.unsound,
};
const NEW_INVITE = 'Ask an admin for a new invite (`keytide invite`).';
const TELL_ADMIN =
  'Nothing more is sent to this relay from here; compare with another member, and tell your admin.';
const RETRY = 'Check the address and the network, and run the command again; nothing is lost.';

/** What the relay says no to. */
const REFUSALS: Readonly<Record<string, Advice>> = {
  'login-refused': refused(
    'An admin can say whether this device still belongs, and make a new invite (`keytide invite`). A recovery that was broken off goes on with `keytide org recover`.',
  ),
  'not-a-member': refused('Ask an admin whether this device still belongs, and has the right to do this.'),
  'session-ended': refused('Run the command again; it logs in anew.'),
  'entry-refused': refused(
    'The rules of the organisation do not allow it; ask an admin, or for a new invite.',
  ),
  'rate-limited': unreachable('Wait a little and run the command again.'),
  unavailable: unreachable(RETRY),
  'unsupported-version': refused('This relay speaks another version; update keytide here or there.'),
};

const DEFAULTS: Readonly<Record<string, Advice>> = {
  ClientError: unexpected('Run the command again.'),
  CryptoError: unexpected('Run the command again.'),
  DirectoryError: refused('The rules of the organisation do not allow it; ask an admin.'),
  ProtocolError: misbehaved(TELL_ADMIN),
  ArchiveError: unexpected('Run the command again.'),
  RelayError: unexpected('See the log above; KEYTIDE_DEBUG=1 shows more.'),
};

const ADVICE: Readonly<Record<string, Readonly<Record<string, Advice>>>> = {
  ClientError: {
    offline: unreachable(RETRY),
    'not-ready': unreachable('Connect this device to the relay once: run `keytide status`.'),
    unwitnessed: refused(
      'Ask the admins to run `keytide status`; `keytide directory checkpoint` says who has. One who will not come back: `keytide remove NAME` or `keytide role NAME member`.',
    ),
    'relay-refused': refused('Ask an admin.'),
    'update-needed': refused('Update keytide: the organisation uses something newer.'),
    'relay-misbehaved': misbehaved(TELL_ADMIN),
    'relay-forked': misbehaved(TELL_ADMIN),
    'not-a-member': refused('Ask an admin for a new invite, and join with a new --home.'),
    wiped: refused('Ask an admin for a new invite and join again; the same --home will do.'),
    'lease-over': locked('Join again as a new device with another --home; an admin can invite you.'),
    locked: locked('Connect to the relay and run the command again.'),
    'no-organisation': usage('Run `keytide org create` or `keytide join` first, or give another --home.'),
    'handle-needed': usage('Give the name that others will see with --name.'),
    'already-joined': usage('Give another --home for another organisation.'),
    'invalid-value': usage('Correct the value and run the command again.'),
    'unknown-request': usage('See `keytide access list`.'),
    'beyond-entitlement': refused('Nothing of it may be given any more; it may be in the archive.'),
    'unknown-record': usage('See `keytide requests list`.'),
    'too-large': usage('Send less at once.'),
    'store-damaged': locked(
      'Restore the folder given by --home from a copy, or join again with another --home.',
    ),
  },
  CryptoError: {
    'wrong-passphrase': locked('Try again; without the passphrase this device cannot be opened.'),
    'vault-locked': locked('Close the other keytide that uses this --home, then run the command again.'),
    'vault-damaged': locked(
      'Restore the folder given by --home from a copy, or join again with another --home.',
    ),
    'unlock-share-needed': locked('Update keytide, or give another --home.'),
    'unsupported-version': locked('Update keytide: the store was made by a newer one.'),
    'vault-missing': usage('Run `keytide org create` or `keytide join` first, or give another --home.'),
  },
  DirectoryError: {
    malformed: usage(
      'Give the whole link, from http to its end, in quotes, or a file just as it was written.',
    ),
    'too-large': usage('Give the whole link, or a file just as it was written.'),
    'bad-handle': usage('Choose another --name.'),
    'invite-unknown': refused(NEW_INVITE),
    'invite-used': refused(NEW_INVITE),
    'invite-expired': refused(NEW_INVITE),
    'invite-revoked': refused(NEW_INVITE),
    'not-permitted': refused('Ask an admin to do it.'),
    'last-admin': refused('Let another admin in first (`keytide invite --role admin`).'),
    'approval-needed': refused(
      'Propose it with --propose FILE; other admins run `keytide approve`, then `keytide submit`.',
    ),
    'bad-approval': refused('Give approvals of other admins, one each, exactly as many as it takes.'),
    'wrong-predecessor': refused(
      'The organisation has changed since it was proposed: look whether it is done, or propose it anew.',
    ),
    'bad-signature': refused('It was altered, or an approval belongs to something else: ask for it again.'),
    'too-few-admins': refused('Make more admins first (`keytide role`), or ask for fewer.'),
    'unknown-member': usage('See `keytide members`.'),
    'unknown-device': usage('See `keytide device list`.'),
    'too-many-devices': refused('End a device that is not used any more (`keytide device revoke`).'),
    unchanged: refused('It is so already.'),
    'period-open': usage('Wait until the period is over, or end it earlier.'),
    'already-published': refused(
      'A part of the period is published, and stays what it is: `keytide aggregates list`.',
    ),
    'budget-spent': refused('Leave out epsilonMilli, or wait for the next stretch.'),
    'id-reused': refused('Use a key that was never used for anything else.'),
    'unsupported-version': refused('Update keytide: the organisation uses something newer.'),
    forked: misbehaved(TELL_ADMIN),
    'rolled-back': misbehaved(TELL_ADMIN),
  },
  ArchiveError: {
    'bad-plan': usage('Correct the declaration: the message names the fields.'),
    'undeclared-value': usage(
      'Declare the value, or have the field take what is not declared: "other" is one of its categories.',
    ),
    'period-open': usage('Wait until half a day after the period, or end it earlier.'),
    'already-published': refused(
      'A part of the period is published, and stays what it is: `keytide aggregates list`.',
    ),
    'other-release': refused('Ask who proposes it for both files of the same proposal.'),
    'budget-spent': refused(
      'Leave out epsilonMilli, or wait for the next stretch: `keytide policy show`, privacy-budget.',
    ),
    'bad-query': usage('Name a view of the declaration, and fields of that view.'),
    'other-filter': usage(
      'Give with --since an archive that leaves nothing out (`keytide stats`), or the filter with which it was made.',
    ),
    'no-recipient': usage('Have the policy name an archive key, or name who is to open it with --recipient.'),
    'bad-key': usage('Give the whole public key, from age1pq1 on, or a file with one a line.'),
    'not-empty': usage('Give a new folder; `keytide stats` says what is in this one, if it is an archive.'),
    'other-export': usage('Give the options with which it was begun, or another folder.'),
    'other-log': usage(
      'Give an archive of this organisation, as this device knows it; with --since the newest, or none.',
    ),
    'not-permitted': refused(
      'Exports take an admin or an exporter (`keytide role`); approvals take an admin who has not made it.',
    ),
    'bad-approval': refused('Ask another admin to approve this very archive.'),
    'missing-file': usage(
      'It is no archive, or an export that is not whole: run `keytide export` there again.',
    ),
    'no-identity': usage('It is sealed to another key: look for the key, or the shares, that belong to it.'),
    damaged: {
      next: '`keytide verify` says what is wrong with it: get another copy, or `keytide open --unsound`.',
      exitCode: EXIT.unsound,
    },
    malformed: NO_ARCHIVE,
    'too-large': NO_ARCHIVE,
    'unexpected-file': NO_ARCHIVE,
    'unsupported-version': usage('Update keytide: it was made by a newer one.'),
    'destination-full': unexpected('Make room and run the same command again: it goes on from there.'),
    'destination-failed': unreachable(
      'Check the network, and run the same command again: it goes on from there.',
    ),
    'destination-refused': refused(
      'Look at the settings of the bucket; the service may not do what is needed.',
    ),
    'bad-address': usage(
      'Check the bucket and the place, AWS_REGION and AWS_ENDPOINT_URL: https, and the region of the bucket.',
    ),
    'bucket-missing': usage('Make the bucket, or name another; AWS_ENDPOINT_URL says where it is.'),
    'access-denied': refused(
      'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they may do (docs/guides/archive.md).',
    ),
    'clock-skew': refused('Set the clock of this machine, and run the command again.'),
    'no-object-lock': usage('Take a bucket that was made with object lock, or leave --lock-until out.'),
    'source-damaged': unexpected('Run the command again; if it stays, export to another folder.'),
  },
  RelayError: {
    'secret-missing': usage('Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'),
    'secret-unusable': usage('Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.'),
    'key-service-failed': unreachable('The role of this machine gives no credentials: try again.'),
    'key-service-refused': refused('The role of this machine gives no credentials: look at what it may do.'),
    'data-folder-locked': locked('Stop the relay that uses this folder, or give another --data.'),
    'database-in-use': locked('Stop the other relay, or give another database.'),
    'relay-key-missing': unexpected(
      'Put the key file back from a backup: with another key, clients refuse this relay.',
    ),
    'relay-key-unusable': usage(
      'With --database, give a --key-file in a folder that exists. The file has 32 bytes, for its owner alone (chmod 600).',
    ),
    'data-key-missing': unexpected(
      'Put the data key file back from a backup: without it, what the organisations keep here cannot be read.',
    ),
    'data-key-unusable': usage('The file has 32 bytes, for its owner alone (chmod 600).'),
    'address-in-use': usage('Give another --port, or 0 for any free one.'),
    'database-newer': unexpected('Update keytide.'),
    'migration-changed': unexpected(
      'Made by another version of keytide, whose checkpoints mean something else: use that one, or start with an empty --data or --database.',
    ),
    'database-failed': unexpected(
      'Check that the database runs and that its address and password are right.',
    ),
  },
};
