import type { BusMessage } from './cluster/bus-message.ts';

/**
 * Joins an allowance to the ones of its name at other nodes: `spend` hears what they gave away, and the answer is
 * called with what is given away here.
 */
export type ShareRate = (spend: (id: string, count: number) => void) => (id: string) => void;

/** For a relay that is alone. */
export const UNSHARED: ShareRate = () => () => undefined;

/** Allowances that nodes share by telling each other: while they do not hear each other, each has its own. */
export interface RateSharing {
  /** Each name once. */
  named(name: string): ShareRate;
  /** Another node has given something away. */
  received(message: Extract<BusMessage, { type: 'spent' }>): void;
}

/** Allowances of this node, told to the others by `publish`. */
export function createRateSharing(publish: (message: BusMessage) => void): RateSharing {
  const spenders = new Map<string, (id: string, count: number) => void>();
  return {
    named: (rate) => (spend) => {
      spenders.set(rate, spend);
      return (id) => publish({ type: 'spent', rate, id, count: 1 });
    },
    received({ rate, id, count }) {
      spenders.get(rate)?.(id, count);
    },
  };
}
