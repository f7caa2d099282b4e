import { equalBytes } from '@keytide/crypto-core';
import { RelayError } from './errors.ts';

/** Which past a relay's database has (docs/spec/timeline.md). */
export interface Timeline {
  /** 16 bytes, others after the database was put back. */
  readonly id: Uint8Array;
  /** When a relay first served it, where there was another one before; `null` until one does; else 0. */
  readonly changedMs: number | null;
}

/**
 * Whether what is newer than a change of timeline has to wait: devices are giving back what the relay has lost of the
 * membership logs, and it is not to take the place of that.
 */
export function mustWait({ changedMs }: Timeline, nowMs: number, settleMs: number, madeMs: number): boolean {
  const fromMs = changedMs ?? nowMs;
  return fromMs > 0 && nowMs < fromMs + settleMs && madeMs > fromMs;
}

/** A place in a log means nothing in another past. @throws RelayError `timeline-changed` */
export function assertSameTimeline(own: Uint8Array, afterSeq: number, named: Uint8Array | undefined): void {
  if (afterSeq === 0 && named === undefined) return;
  if (named === undefined || !equalBytes(own, named))
    throw new RelayError('timeline-changed', 'the relay was put back: this place is of what it was before');
}
