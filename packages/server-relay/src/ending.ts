import { isRefusalCode, ProtocolError, type RefusalCode } from '@keytide/relay-protocol';
import { RelayError } from './errors.ts';

/** How a connection ends: what the peer is told, the WebSocket status, and what the operator should know. */
export interface Ending {
  readonly code: RefusalCode;
  /** RFC 6455 §7.4.1. */
  readonly status: number;
  /** The code of a failure of our own; `null` when the peer is to blame. */
  readonly cause: string | null;
}

/** Sorts whatever went wrong. What is not a refusal stays inside: the peer hears `unavailable`. */
export function endingOf(error: unknown): Ending {
  if (error instanceof ProtocolError || error instanceof RelayError) {
    const { code } = error;
    if (isRefusalCode(code)) return { code, status: code === 'too-large' ? 1009 : 1008, cause: null };
    return { code: 'unavailable', status: 1011, cause: code };
  }
  return { code: 'unavailable', status: 1011, cause: 'bug' };
}
