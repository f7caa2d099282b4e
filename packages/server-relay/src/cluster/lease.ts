import { equalBytes, type Random } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';
import type { RelayLimits } from '../limits.ts';
import type { NodeStore } from '../node-store.ts';

/**
 * A node's right to show content: it has lately looked in the database who may still be here. Whoever ends somebody's
 * right waits until every node has looked since, or must have stopped showing anything.
 */
export interface Lease {
  /** 16 bytes that name this node; `null` for a relay that is alone. */
  readonly node: Uint8Array | null;
  /** Whether this node may show content now. */
  isHeld(): boolean;
  /**
   * Does `look` between drawing a moment and acknowledging it, and holds the lease from its beginning on.
   * @throws what `look` throws, and RelayError `database-failed`
   */
  during(look: () => Promise<void>): Promise<void>;
  /** Looks that have begun: whoever finds the same number before and after a wait has missed none. */
  looks(): number;
  /** Resolves when no other node acts on anything older than what is committed now. @throws RelayError `database-failed` */
  everywhere(): Promise<void>;
  /** Gives it back. */
  release(): Promise<void>;
}

/** The lease of a relay that is alone. */
export const ALONE: Lease = {
  node: null,
  isHeld: () => true,
  during: (look) => look(),
  looks: () => 0,
  everywhere: () => Promise.resolve(),
  release: () => Promise.resolve(),
};

/** What `createLease` works with. */
export interface LeaseOptions {
  readonly store: NodeStore;
  readonly random: Random;
  /** 32 bytes. */
  readonly relayKey: Uint8Array;
  /** How long a look is good. */
  readonly leaseMs: number;
  /** Wakes the others, so that they look now and not only at their next turn. */
  readonly wake: () => void;
}

const ASK_MS = 25;
const MOST_ASK_MS = 250;
/** What clocks of two machines may differ by, of the length of a lease. */
const DRIFT = 1.1;
/** How much longer the database believes in a lease than its holder: its clock may be set meanwhile. */
const BELIEVED = 3;

/** Not held until the first look. @throws RelayError `relay-key-differs`, `database-failed` */
export async function createLease(options: LeaseOptions): Promise<Lease> {
  const { store, relayKey, leaseMs } = options;
  const node = options.random(16);
  let began: Moment | null = null;
  let looks = 0;
  const renew = (acked: number): Promise<void> =>
    store.renewNode({ node, relayKey, leaseMs: BELIEVED * leaseMs, acked });
  // What came before it joined it has not seen, and does not show either.
  await renew(await store.drawMoment());
  for (const other of await store.listNodes()) {
    if (equalBytes(other.relayKey, relayKey)) continue;
    await store.leaveNodes(node);
    throw new RelayError('relay-key-differs', 'another node of this database has another relay key');
  }

  return {
    node,
    isHeld: () => began !== null && sinceMs(began) < leaseMs,
    async during(look) {
      looks += 1;
      const at = momentNow();
      const moment = await store.drawMoment();
      await look();
      await renew(moment);
      began = at;
    },
    looks: () => looks,
    everywhere: () => everywhere(store, node, leaseMs, options.wake),
    async release() {
      began = null;
      await store.leaveNodes(node);
    },
  };
}

/** A moment on both clocks of the machine: one may stand still while it sleeps, the other may be set. */
interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
}

function momentNow(): Moment {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

/** By whichever clock says more. */
function sinceMs({ steadyMs, wallMs }: Moment): number {
  return Math.max(performance.now() - steadyMs, Math.abs(Date.now() - wallMs));
}

/** For how long a look is good: one may fail, and be tried again. */
export function leaseMsOf({ sessionLookMs }: Pick<RelayLimits, 'sessionLookMs'>): number {
  return 3 * sessionLookMs;
}

/**
 * Resolves when no node but this one acts on anything older than what is committed now.
 * @throws RelayError `database-failed`
 */
export async function everywhere(
  store: Pick<NodeStore, 'drawMoment' | 'countNodesBehind'>,
  node: Uint8Array,
  leaseMs: number,
  wake: () => void = () => undefined,
): Promise<void> {
  const moment = await store.drawMoment();
  wake();
  // A node that has not looked since then has nothing to show once its lease is over, whatever it says.
  const latestMs = performance.now() + leaseMs * DRIFT;
  for (let pauseMs = ASK_MS; performance.now() < latestMs; pauseMs = Math.min(pauseMs * 2, MOST_ASK_MS)) {
    if ((await store.countNodesBehind(node, moment)) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
