import {
  createEpoch,
  deviceIdOf,
  groupId,
  openEpoch,
  orgId,
  parseEpochStatement,
  Secret,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';

/** `sizeBytes` times one byte: the seeds of the examples in docs/spec, chosen to be seen in a hex dump. */
export const filled = (byte: number, sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(byte);

function exampleDevice(signingSeed: number, sealingSeed: number) {
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

export const alice = exampleDevice(0x01, 0x02);
export const bob = exampleDevice(0x03, 0x04);
export const org = orgId(filled(0x0a, 32));
export const group = groupId(filled(0x0b, 32));
export const directory = { size: 4, root: filled(0xd1, 32) };
export const BLOCK_START_MS = 1_767_225_600_000;
export const BLOCK_END_MS = 1_767_312_000_000;

/** Epoch 2 of the examples: Alice starts it because Bob was admitted after her 3 messages. */
export const epoch = await createEpoch({
  primitives,
  random: (sizeBytes) => filled(0xe1, sizeBytes),
  signer: alice.signer,
  author: alice.id,
  org,
  group,
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
});
export const statement = parseEpochStatement(primitives, epoch.statement);

/** The epoch as one of its devices holds it. */
export const openedEpoch = () =>
  openEpoch({
    primitives,
    statement,
    key: Secret.own(filled(0xe1, 32)),
    devices: [alice, bob].map(({ id, verifier }) => ({ device: id, verifier })),
  });
