import { ArchiveError, type ArchiveErrorCode } from '../../errors.ts';

/** What the words of a service for an error mean here. Other words are not repeated: they are its text. */
const CODES: Readonly<Record<string, ArchiveErrorCode>> = {
  // These may pass.
  BadDigest: 'destination-failed',
  ConditionalRequestConflict: 'destination-failed',
  InternalError: 'destination-failed',
  OperationAborted: 'destination-failed',
  RequestTimeout: 'destination-failed',
  ServiceUnavailable: 'destination-failed',
  SlowDown: 'destination-failed',
  XAmzContentSHA256Mismatch: 'destination-failed',
  NoSuchBucket: 'bucket-missing',
  NoSuchKey: 'missing-file',
  AccessDenied: 'access-denied',
  ExpiredToken: 'access-denied',
  InvalidAccessKeyId: 'access-denied',
  InvalidToken: 'access-denied',
  SignatureDoesNotMatch: 'access-denied',
  RequestTimeTooSkewed: 'clock-skew',
  AuthorizationHeaderMalformed: 'bad-address',
  InvalidBucketName: 'bad-address',
  PermanentRedirect: 'bad-address',
  TemporaryRedirect: 'bad-address',
  ObjectLockConfigurationNotFoundError: 'no-object-lock',
  QuotaExceeded: 'destination-full',
  XMinioStorageFull: 'destination-full',
};

const MESSAGES: Partial<Readonly<Record<ArchiveErrorCode, string>>> = {
  'bad-address': 'the bucket is in another region, or at another endpoint',
  'bucket-missing': 'there is no such bucket',
  'missing-file': 'a file of the archive is not there',
  'access-denied': 'the service does not let these credentials do that',
  'clock-skew': 'the clock of this machine is wrong by minutes',
  'no-object-lock': 'the bucket locks no objects',
  'destination-full': 'no room for the next file',
};

/** The word for an error in an answer; `null` for an answer that is none. */
export function errorWordIn(text: string): string | null {
  const word = /<Error>[^]*?<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1] ?? null;
  // Which request is invalid, only the message says.
  const isLock = word === 'InvalidRequest' && /object ?lock/i.test(text);
  return isLock ? 'ObjectLockConfigurationNotFoundError' : word;
}

/** What an answer that is none of the expected ones is thrown as. `destination-failed` may pass. */
export function refusal(status: number, word: string | null): ArchiveError {
  const code = (word === null ? undefined : CODES[word]) ?? codeOf(status);
  const reason = word !== null && Object.hasOwn(CODES, word) ? word : `http-${status}`;
  return new ArchiveError(code, `${MESSAGES[code] ?? 'the service refuses'} (${reason})`);
}

/** A retry may help. The error of the system is not shown: what it quotes is not known. */
export function noAnswer(): ArchiveError {
  return new ArchiveError('destination-failed', 'the service gives no answer');
}

/** An answer that a service of this protocol does not give. */
export function notUnderstood(message: string): ArchiveError {
  return new ArchiveError('destination-refused', message);
}

function codeOf(status: number): ArchiveErrorCode {
  if (status === 507) return 'destination-full';
  if (status === 429 || status === 408 || (status >= 500 && status !== 501)) return 'destination-failed';
  if (status === 401 || status === 403) return 'access-denied';
  if (status >= 300 && status < 400) return 'bad-address';
  return 'destination-refused';
}
