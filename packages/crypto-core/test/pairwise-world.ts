import {
  ABILITY_LIBSIGNAL,
  deviceIdOf,
  memoryKeyStore,
  orgId,
  pairwiseEndpoint,
  sealingKeyId,
  type DeviceId,
  type DeviceRecord,
  type KeyStore,
  type OrgId,
  type PairwiseEndpoint,
  type PairwisePeer,
  type Random,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom } from './seeded-random.ts';

export const keepNothing = () => [];

/** A device that can talk to others, with a store that outlives it. */
export interface TestPeer extends PairwisePeer {
  readonly id: DeviceId;
  readonly signer: Signer;
  readonly record: DeviceRecord;
  readonly store: KeyStore;
  readonly endpoint: PairwiseEndpoint;
  /** The device after a restart, on this store. */
  readonly restart: (store: KeyStore) => TestPeer;
}

export const orgOf = (seed: string): OrgId => orgId(seededRandom(`${seed} org`)(32));

/** Everything but X-Wing's and libsignal's own randomness follows from the name. */
export function makePeer(name: string, abilities = ABILITY_LIBSIGNAL, org = orgOf('world')): TestPeer {
  const random = seededRandom(name);
  const signer = primitives.signer(random(32));
  const decapsulator = primitives.decapsulator(random(32));
  const record = { signingPublicKey: signer.publicKey, abilities };
  const encapsulator = primitives.encapsulator(decapsulator.publicKey);
  const keyId = sealingKeyId(primitives, decapsulator.publicKey);
  const on = (store: KeyStore, fresh: Random): TestPeer => ({
    id: deviceIdOf(primitives, signer.publicKey),
    signer,
    record,
    encapsulator,
    store,
    endpoint: pairwiseEndpoint({
      primitives,
      random: fresh,
      org,
      store,
      signer,
      record,
      sealingKey: (wanted) => (wanted === keyId ? decapsulator : null),
    }),
    restart: (next) => on(next, fresh),
  });
  return on(memoryKeyStore(), random);
}

/** An independent copy of what a store holds, as a backup that is put back later. */
export async function copyStore(store: KeyStore): Promise<KeyStore> {
  const copy = memoryKeyStore();
  const names = await store.names('');
  const changes = names.map(async (name) => ({ name, value: await store.get(name) }));
  await copy.write(await Promise.all(changes));
  return copy;
}
