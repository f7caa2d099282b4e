import type { Ports } from './ports.ts';
import { timerClock } from './timer-clock.ts';

/** The clock and the network that a browser and React Native have. */
export function globalPorts(): Pick<Ports, 'clock' | 'fetch' | 'WebSocket'> {
  return {
    clock: timerClock,
    // A browser's fetch belongs to its window.
    fetch: (input, init) => globalThis.fetch(input, init),
    WebSocket: globalThis.WebSocket,
  };
}
