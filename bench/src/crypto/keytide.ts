import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import type { Group, Messenger } from './messenger.ts';
import { makeReader } from './reader.ts';
import { makeSealer, makeWorld, type Seal } from './world.ts';

/** This project's messages, on the Node build. */
export const keytide: Messenger<Uint8Array> = {
  name: 'keytide',
  async makeGroup(senders) {
    const world = await makeWorld(nodePrimitives, nodeRandom, senders + 1);
    const [, ...others] = world.devices;
    const readerKeys = world.openEpoch();
    const seals = others.map((device) => makeSealer(world, device));
    return {
      seal: (sender, payload) => (seals[sender] as Seal)(payload),
      reader: () => makeReader(readerKeys),
    } satisfies Group<Uint8Array>;
  },
};
