import {
  createEpoch,
  deviceIdOf,
  groupId,
  orgId,
  type CreateEpochInput,
  type Primitives,
} from '@keytide/crypto-core';

/** `sizeBytes` times one byte: what the examples of docs/spec are made from. */
export const filled = (byte: number, sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(byte);

export const BLOCK_START_MS = 1_767_225_600_000;
export const BLOCK_END_MS = 1_767_312_000_000;

function device(primitives: Primitives, signingSeed: number, sealingSeed: number) {
  const signer = primitives.signer(filled(signingSeed, 32));
  const decapsulator = primitives.decapsulator(filled(sealingSeed, 32));
  return {
    id: deviceIdOf(primitives, signer.publicKey),
    signer,
    verifier: primitives.verifier(signer.publicKey),
    decapsulator,
    encapsulator: primitives.encapsulator(decapsulator.publicKey),
  };
}

/** Alice, Bob and epoch 2 of docs/spec, on any implementation. */
export function exampleWorld(primitives: Primitives) {
  const alice = device(primitives, 0x01, 0x02);
  const bob = device(primitives, 0x03, 0x04);
  const directory = { size: 4, root: filled(0xd1, 32) };
  const input: CreateEpochInput = {
    primitives,
    random: (sizeBytes) => filled(0xe1, sizeBytes),
    signer: alice.signer,
    author: alice.id,
    org: orgId(filled(0x0a, 32)),
    group: groupId(filled(0x0b, 32)),
    previous: { epoch: 1, hash: filled(0xf1, 32) },
    blockStartMs: BLOCK_START_MS,
    blockEndMs: BLOCK_END_MS,
    createdMs: BLOCK_START_MS + 60_000,
    checkpoint: directory,
    reason: 'membership-changed',
    closing: {
      group: { size: 4, root: filled(0xd2, 32) },
      senders: [{ device: alice.id, counter: 2, link: filled(0x1a, 32) }],
    },
    recipients: [alice, bob].map(({ id, encapsulator }) => ({ device: id, encapsulator })),
  };
  return { alice, bob, directory, input, createEpoch: () => createEpoch(input) };
}
