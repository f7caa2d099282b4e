import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';

/**
 * Lets `burst` calls through, then `perSecond` a second. The returned function takes one.
 * @throws (from the returned function) RelayError `rate-limited`
 */
export function createRateLimit(clock: Clock, burst: number, perSecond: number): () => void {
  let left = burst;
  let lastMs = clock.now();
  return () => {
    const nowMs = clock.now();
    // A clock that was set back must not drain the bucket.
    left = Math.min(burst, left + (Math.max(0, nowMs - lastMs) / 1000) * perSecond);
    lastMs = nowMs;
    if (left < 1) throw new RelayError('rate-limited', 'too many logins at once; try again shortly');
    left -= 1;
  };
}
