import { toHex } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { makePayloads } from './messenger.ts';
import type { HandedOver } from './receive.ts';
import { makeSealer, makeWorld } from './world.ts';

/** A backlog for another runtime: sealed here, opened there. */
export async function handOver(messages: number, senders: number): Promise<HandedOver> {
  const world = await makeWorld(nodePrimitives, nodeRandom, senders + 1);
  const { org, group, epoch, hash, keyCommitment } = world.statement;
  const seals = world.devices.slice(1).map((device) => makeSealer(world, device));
  return {
    org,
    group,
    epoch,
    hash: toHex(hash),
    keyCommitment: toHex(keyCommitment),
    key: world.openKey().use(toHex),
    signingKeys: world.devices.map(({ verifier }) => toHex(verifier.publicKey)),
    envelopes: makePayloads(messages).map((payload, index) =>
      toHex((seals[index % senders] as (typeof seals)[number])(payload)),
    ),
  };
}
