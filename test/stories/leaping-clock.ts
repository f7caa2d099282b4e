import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';

const POLL_MS = 20;

/** A clock that runs like the machine's and can be set: as for a relay and devices that were asleep meanwhile. */
export function leapingClock(startMs: number) {
  const bornMs = Date.now();
  let leaptMs = 0;
  const now = (): number => startMs + Date.now() - bornMs + leaptMs;
  const leap = (ms: number): void => {
    leaptMs += ms;
  };
  /** Ports of a device by this clock; `aheadMs` is what its own clock is wrong by. */
  const ports = (aheadMs: () => number = () => 0): Ports => ({
    ...nodePorts,
    clock: {
      now: () => now() + aheadMs(),
      async wait(ms, signal) {
        for (const untilMs = now() + ms; now() < untilMs && signal?.aborted !== true;) await sleep(POLL_MS);
      },
    },
  });
  return { now, leap, ports };
}
