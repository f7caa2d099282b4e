import type { DeviceStore } from '@keytide/client';
import { decodeCbor, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';

/** The seeds of a device's signing key and of its first sealing key, as a thief of its store finds them. */
export async function seedsIn(store: DeviceStore): Promise<[signing: Uint8Array, sealing: Uint8Array]> {
  const identity = decodeCbor((await store.keys.get('identity')) as Uint8Array, 65_536);
  const [, , , , signingSeed, sealingSeed] = identity as unknown as Uint8Array[];
  return [signingSeed as Uint8Array, sealingSeed as Uint8Array];
}

/** What a device signs with. */
export async function signerIn(store: DeviceStore): Promise<Signer> {
  const [seed] = await seedsIn(store);
  return primitives.signer(seed);
}
