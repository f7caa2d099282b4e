import type { Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';

const DAY_MS = 86_400_000;
const startMs = Date.now();
const noonMs = Math.floor(startMs / DAY_MS) * DAY_MS + DAY_MS / 2;

/** The time in these tests: it is noon when they start, so that no block of a day ends while they run. */
export const now = (): number => Date.now() - startMs + noonMs;

/** The machine's ports, but for the time. */
export const noonPorts: Ports = { ...nodePorts, clock: { ...nodePorts.clock, now } };

/** How much faster: a deadline of a minute must still be one that a busy machine keeps. */
const HURRY = 15;

/** Ports whose clock runs fast, so that a test need not wait for what takes a minute. */
export function hurriedPorts(): Ports {
  const { clock } = noonPorts;
  const hurriedFromMs = clock.now();
  return {
    ...noonPorts,
    clock: {
      now: () => Math.floor(hurriedFromMs + (clock.now() - hurriedFromMs) * HURRY),
      wait: (ms, signal) => clock.wait(ms / HURRY, signal),
    },
  };
}
