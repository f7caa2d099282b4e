import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import { UNSHARED, type ShareRate } from './rate-sharing.ts';

/**
 * Lets `burst` calls through, then `perSecond` a second. The returned function takes one.
 * @throws (from the returned function) RelayError `rate-limited`
 */
export function createRateLimit(
  clock: Clock,
  burst: number,
  perSecond: number,
  share: ShareRate = UNSHARED,
): () => void {
  let left = burst;
  let lastMs = clock.now();
  const told = share((_all, count) => {
    refill();
    left = Math.max(0, left - count);
  });

  function refill(): void {
    const nowMs = clock.now();
    // A clock that was set back must not drain the bucket.
    left = Math.min(burst, left + (Math.max(0, nowMs - lastMs) / 1000) * perSecond);
    lastMs = nowMs;
  }

  return () => {
    refill();
    if (left < 1) throw new RelayError('rate-limited', 'too many logins at once; try again shortly');
    left -= 1;
    told('');
  };
}
