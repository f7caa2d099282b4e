import { setTimeout as sleep } from 'node:timers/promises';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import type { Clock, Ports } from '../ports.ts';

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
};

/** Everything the client needs from Node 24 or Electron. */
export const nodePorts: Ports = {
  primitives: nodePrimitives,
  random: nodeRandom,
  clock: systemClock,
  fetch: globalThis.fetch,
  WebSocket: globalThis.WebSocket,
};
