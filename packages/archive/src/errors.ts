/** Every code an `ArchiveError` can carry. */
export type ArchiveErrorCode =
  | 'malformed' // bytes that are not what the specification says
  | 'unsupported-version' // written by a newer version: use one that is at least as new
  | 'too-large' // a header over its limit
  | 'bad-key' // a recipient or an identity that is none
  | 'classical-recipient' // also sealed to a key that a quantum computer opens: Keytide writes no such file
  | 'no-identity' // sealed to other keys than those that were given
  | 'damaged' // cut short, altered or put together from parts: get another copy
  | 'missing-file' // an archive without a file that it is to have
  | 'unexpected-file' // a file that no archive has, or that this one does not list
  | 'destination-full' // no room for the next file; what was written stays, and the export goes on from there
  | 'destination-failed' // the place gave no answer, several times; what was written stays, and the export goes on from there
  | 'destination-refused' // the place says no for a reason that is not known here
  | 'bad-address' // a bucket, region, endpoint or place in it that is none, or that is elsewhere
  | 'bucket-missing' // there is no such bucket: make it, or name another
  | 'access-denied' // credentials that are none, are over, or may not do this
  | 'clock-skew' // the clock of this machine is too wrong for the service
  | 'no-object-lock' // files were to be locked in a bucket that was made without object lock
  | 'not-empty' // something else is where the archive is to be
  | 'other-export' // an export with other options was begun in this place
  | 'other-log' // the log is not the one that the archive before has
  | 'other-filter' // the archive before leaves out what this one would have
  | 'no-recipient' // nobody to seal to: set the policy's archive key, or name a recipient
  | 'not-permitted' // the device is neither an admin's nor an exporter's
  | 'bad-approval' // of another archive, by nobody who may, or by an admin who has signed already
  | 'source-damaged' // what the archive is made from is not whole
  | 'bad-plan' // a plan of aggregates that contradicts itself or promises too little
  | 'undeclared-value' // a record with a value that the plan does not declare
  | 'period-open' // aggregates of a time that is not over
  | 'already-published' // aggregates of a time of which there are some
  | 'other-release' // not the release that the membership log or a proposal names, or one that says something else than that
  | 'budget-spent' // noise that the privacy budget does not allow
  | 'bad-query'; // a table of what the release does not have

/** The one error class of this package. `code` is stable; the message never holds content or a secret. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly code: ArchiveErrorCode;

  constructor(code: ArchiveErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
  }
}
