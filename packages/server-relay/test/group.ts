import {
  concatBytes,
  createEpoch,
  type CreateEpochInput,
  idBytes,
  uint32Bytes,
  type GroupId,
  type PreviousEpoch,
} from '@keytide/crypto-core';
import type { ClientFrame } from '@keytide/relay-protocol';
import type { SeededDevice, SeededWorld } from '@keytide/testkit';

type Announce = Extract<ClientFrame, { type: 'announce' }>;

/** What a relay takes for an envelope: a right header, and bytes that it cannot read anyway. */
export function envelopeOf(world: SeededWorld, sizeBytes = 300, epoch = 1, group?: GroupId): Uint8Array {
  const header = concatBytes(Uint8Array.of(1, 1), idBytes(group ?? world.state.everyone), uint32Bytes(epoch));
  return concatBytes(header, world.random(sizeBytes - header.length));
}

/** An append of `count` fresh envelopes. */
export function appendOf(
  world: SeededWorld,
  requestId: number,
  count = 1,
  sizeBytes = 300,
): Extract<ClientFrame, { type: 'append' }> {
  const items = Array.from({ length: count }, () => ({
    messageId: world.random(16),
    envelope: envelopeOf(world, sizeBytes),
  }));
  return { type: 'append', requestId, group: world.state.everyone, items };
}

/** A real epoch for every device of a world, as `author` announces it. */
export async function announceOf(
  world: SeededWorld,
  author: SeededDevice,
  requestId: number,
  previous: PreviousEpoch | null = null,
  change: Partial<CreateEpochInput> = {},
): Promise<Announce & { readonly hash: Uint8Array }> {
  const { primitives, random, org, state } = world;
  const blockMs = state.policy.blockSeconds * 1000;
  const blockStartMs = Math.floor(world.clock.now() / blockMs) * blockMs;
  const created = await createEpoch({
    primitives,
    random,
    signer: author.signer,
    author: author.id,
    org,
    group: state.everyone,
    previous,
    blockStartMs,
    blockEndMs: blockStartMs + blockMs,
    createdMs: world.clock.now(),
    checkpoint: { size: state.size, root: state.root },
    reason: previous === null ? 'first' : 'on-demand',
    closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
    recipients: world.members.flatMap(({ devices }) =>
      devices.map(({ id, decapsulator }) => ({
        device: id,
        encapsulator: primitives.encapsulator(decapsulator.publicKey),
      })),
    ),
    ...change,
  });
  const { statement, boxes, hash } = created;
  created.key.dispose();
  return {
    type: 'announce',
    requestId,
    group: state.everyone,
    messageId: random(16),
    statement,
    boxes,
    hash,
  };
}
