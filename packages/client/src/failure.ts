import { ClientError, type ClientErrorCode } from './errors.ts';

/** Failures that pass by themselves. */
const PASSING: ReadonlySet<ClientErrorCode> = new Set(['offline', 'relay-misbehaved']);

/** Refusals that pass by themselves, with a new login, or with new message ids. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set([
  // A socket that ends so makes the device log in again, and look in the log what has become of it.
  'not-a-member',
  'rate-limited',
  // What a socket says as it ends; a request that is answered so, or not at all, is `offline`.
  'unavailable',
  'session-ended',
  'message-id-reused',
  // The next welcome says of which timeline the relay is.
  'timeline-changed',
]);

/** Whether another attempt can help; if not, only a person can. */
export function passes({ code, relayCode }: ClientError): boolean {
  return PASSING.has(code) || PASSING_REFUSALS.has(relayCode ?? '');
}

/** Anything thrown, as the reason that is shown: what is not ours comes from this device. */
export function reasonOf(error: unknown): ClientError {
  return error instanceof ClientError
    ? error
    : new ClientError('store-damaged', 'this device failed', { cause: error });
}
