import type { RefusalCode } from '@keytide/relay-protocol';

/** Every code a `RelayError` can carry: the refusals of the protocol, and what can go wrong at home. */
export type RelayErrorCode =
  | RefusalCode
  | 'data-folder-locked' // another live process uses the data folder
  | 'database-in-use' // another relay serves this PostgreSQL database
  | 'database-newer' // the database was made by a newer version of this software
  | 'migration-changed' // an applied migration differs from the file of the same name
  | 'database-failed' // the database is gone or refuses; see `cause`
  | 'relay-key-differs' // another node of this database has another relay key
  | 'relay-key-missing' // the key file is gone while there are logs that its key signed
  | 'relay-key-unusable' // the key file is damaged, open to others, or cannot be read or made
  | 'data-key-missing' // the key that wraps the data keys is gone, or is another one
  | 'data-key-unusable' // its file is damaged, open to others, or cannot be read or made
  | 'data-damaged' // what is stored of an organisation's data does not open
  | 'key-service-failed' // a service that keeps keys or secrets gives no answer; see `reason`
  | 'key-service-refused' // it says no; see `reason`
  | 'bad-reference' // what names a key, a secret or its service is not written as it should be
  | 'secret-missing' // there is nothing where a reference to a secret leads
  | 'secret-unusable' // the secret is too long, no text, or its file is writable for others
  | 'blobs-failed' // the bytes of blobs cannot be written or read; see `cause`
  | 'backup-missing' // there is no backup in the folder
  | 'backup-damaged' // a file of the backup is cut off or damaged
  | 'backup-other-relay' // the folder has the backups of another relay
  | 'backup-running' // another backup of the database is being made
  | 'backup-version' // the database has other tables than the backup
  | 'restore-not-empty' // there are organisations in the database that is to be restored into
  | 'address-in-use' // the port is taken
  | 'tls-unusable' // the certificate or its key cannot be read, or they do not belong together
  | 'config-invalid'; // the configuration of the service; `reason` names the keys

/** The one error class of this package. `code` is stable; the message never holds content or tokens. */
export class RelayError extends Error {
  override readonly name = 'RelayError';
  readonly code: RelayErrorCode;
  /** The size of the membership log, with `head-moved`. */
  readonly size: number | null;
  /**
   * The rule that was broken, with `entry-refused` and `record-refused`; the keys, with `config-invalid`; what failed,
   * with `key-service-…`.
   */
  readonly reason: string | null;

  constructor(
    code: RelayErrorCode,
    message: string,
    details: { cause?: unknown; size?: number; reason?: string } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.size = details.size ?? null;
    this.reason = details.reason ?? null;
  }
}

/** What a session's holder hears when it is over, whatever the reason. */
export function sessionEnded(): RelayError {
  return new RelayError('session-ended', 'log in again');
}
