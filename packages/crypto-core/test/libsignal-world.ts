import {
  preparePreKeys,
  signalChannel,
  type PreKeyOffer,
  type SignalChannel,
} from '@keytide/crypto-core/libsignal';
import type { TestPeer } from './pairwise-world.ts';

export const START_MS = 1_767_225_600_000;

/** A relay's half of pre-keys: the newest bundle of each device, and each one-time pair once. */
export class PreKeyShelf {
  readonly bundles = new Map<string, Uint8Array>();
  readonly oneTime = new Map<string, Uint8Array[]>();

  async publish(peer: TestPeer, nowMs: number = START_MS): Promise<void> {
    const left = this.oneTime.get(peer.id) ?? [];
    const made = await preparePreKeys(peer.endpoint, left.length, nowMs);
    this.bundles.set(peer.id, made.bundle);
    this.oneTime.set(peer.id, made.replacesAll ? [...made.oneTime] : [...left, ...made.oneTime]);
  }

  offer(peer: TestPeer): PreKeyOffer {
    const bundle = this.bundles.get(peer.id);
    if (bundle === undefined) throw new Error('no bundle was published');
    return { bundle, oneTime: this.oneTime.get(peer.id)?.shift() ?? null };
  }
}

export interface Clock {
  nowMs: number;
}

export function channelBetween(
  own: TestPeer,
  other: TestPeer,
  shelf: PreKeyShelf,
  clock: Clock = { nowMs: START_MS },
): SignalChannel {
  const peer = {
    record: other.record,
    encapsulator: other.encapsulator,
    fetchOffer: async () => shelf.offer(other),
  };
  return signalChannel(own.endpoint, peer, () => clock.nowMs);
}

/** Two devices that have published their pre-keys, and a channel at each. */
export async function makePair(alice: TestPeer, bob: TestPeer) {
  const shelf = new PreKeyShelf();
  const clock: Clock = { nowMs: START_MS };
  await shelf.publish(alice);
  await shelf.publish(bob);
  return {
    alice,
    bob,
    shelf,
    clock,
    fromAlice: channelBetween(alice, bob, shelf, clock),
    fromBob: channelBetween(bob, alice, shelf, clock),
  };
}
