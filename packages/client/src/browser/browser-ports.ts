import { browserPrimitives, browserRandom } from '@keytide/crypto-core/browser';
import type { Ports } from '../ports.ts';
import { timerClock } from '../timer-clock.ts';

/** Everything the client needs from a browser; resolves once the cryptography is loaded. */
export async function browserPorts(): Promise<Ports> {
  return {
    primitives: await browserPrimitives(),
    random: browserRandom,
    clock: timerClock,
    // A browser's fetch belongs to its window.
    fetch: (input, init) => globalThis.fetch(input, init),
    WebSocket: globalThis.WebSocket,
  };
}
