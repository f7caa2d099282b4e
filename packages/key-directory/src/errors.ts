import { CryptoError } from '@keytide/crypto-core';

/** Every code a `DirectoryError` can carry; docs/spec/membership-log.md says which rule refuses with which. */
export type DirectoryErrorCode =
  | 'malformed' // bytes that are not what the specification says
  | 'too-large' // an entry over 65,535 bytes, or a note, proof or file over its limit
  | 'unsupported-version' // a version, kind or approval this build does not know: update the app
  | 'wrong-organisation' // an entry or link of another organisation
  | 'wrong-predecessor' // does not continue the head: pull the log, build the entry again
  | 'time-went-back' // older than the entry before it
  | 'time-ahead' // dated in the future by the clock of whoever is asked to append it
  | 'unknown-author' // signed by a device that was never in the log
  | 'author-not-active' // signed by a revoked device or a removed member
  | 'approval-needed' // the policy asks for more admins to sign: collect their approvals
  | 'bad-approval' // an approval by somebody who may not give it, twice by one admin, or not asked for
  | 'too-few-admins' // a policy that asks for more admins than there are
  | 'not-permitted' // the author does not hold the right at this point of the log
  | 'bad-signature'
  | 'bad-key' // a public key that is non-canonical or of small order
  | 'bad-sealing-record' // a sealing key that is not the device's own, not usable, or not in force
  | 'bad-handle' // a name that is empty, too long, or could pass for something else on a screen
  | 'invite-unknown'
  | 'invite-used'
  | 'invite-expired'
  | 'invite-revoked' // taken back, or its issuer's device or admin role is gone: ask for a new invite
  | 'id-reused' // a member, device or invite key that the log has seen before
  | 'already-member'
  | 'unknown-member' // never a member, or no longer
  | 'unknown-device' // never a device, or no longer
  | 'unknown-group'
  | 'wrong-stretch' // a deletion receipt that does not follow the one before
  | 'too-many-devices' // this member has as many active devices as a member may have
  | 'already-granted' // this access request has its grant: another admin was faster
  | 'period-open' // aggregates of a period that is not over at the entry's time
  | 'already-published' // aggregates of a period of which a part is published
  | 'budget-spent' // noise that the policy's privacy budget does not allow
  | 'unchanged' // the entry would change nothing
  | 'last-admin' // nobody would be left who can administer the organisation
  | 'bad-proof' // a proof or a file of evidence that does not show what it is said to show
  | 'not-stored' // a tile or a node that a proof needs is not in the store, or not any more
  | 'unwitnessed' // too few admins have cosigned a checkpoint lately: ask again once more have
  | 'forked' // two logs for one organisation; the evidence holds both sides
  | 'rolled-back'; // a log shorter than one already seen; the evidence holds what is missing

/** The one error class of this package. `code` is stable; the message never holds peer text or a secret. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError';
  readonly code: DirectoryErrorCode;
  /** The bytes that prove the misbehaviour, fit to be shown to others: a refused entry's wire, or both sides of a fork. */
  readonly evidence: readonly Uint8Array[];

  constructor(
    code: DirectoryErrorCode,
    message: string,
    options: { cause?: unknown; evidence?: readonly Uint8Array[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.evidence = options.evidence ?? [];
  }
}

/** Runs `work`; what crypto-core refuses inside it is refused under this package's code of the same meaning. */
export function inDirectoryTerms<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof CryptoError) throw new DirectoryError(codeFor(cause), cause.message, { cause });
    throw cause;
  }
}

function codeFor({ code }: CryptoError): DirectoryErrorCode {
  switch (code) {
    case 'too-large':
    case 'unsupported-version':
    case 'bad-key':
    case 'bad-signature':
      return code;
    default:
      return 'malformed';
  }
}
