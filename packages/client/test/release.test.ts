import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createPolicyChange, signDeletionStatement } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../src/index.ts';
import { readDue } from '../src/release.ts';

const signerOf = (byte: number) => primitives.signer(new Uint8Array(32).fill(byte));

test('what a relay has deleted is its word by any key that a policy has named, and by no other', async () => {
  const world = seededWorld({ seed: 'relay keys', members: 1 });
  const [old, present, nobody] = [signerOf(1), signerOf(2), signerOf(3)];
  for (const { publicKey: relayKey } of [old, present]) {
    const policy = { ...DEFAULT_POLICY, relayKey };
    world.append(createPolicyChange({ ...world.as(world.members[0].devices[0]), policy }));
  }
  const { org } = world;
  const group = world.state.everyone;
  const of = (signer: typeof old, firstSeq: number) =>
    signDeletionStatement(primitives, signer, {
      ...{ org, group, firstSeq, lastSeq: firstSeq + 4, root: new Uint8Array(32), deletedMs: 1 },
    });
  const due = (...deleted: Uint8Array[]) =>
    readDue({
      ...{ ports: { primitives }, group },
      api: { call: async () => ({ waived: false, due: [], exported: [], deleted }) },
      directory: { state: world.state, wires: () => world.wires },
    } as unknown as Parameters<typeof readDue>[0]);
  const { deleted } = await due(of(present, 6), of(old, 1));
  expect(deleted.map(({ firstSeq }) => firstSeq)).toEqual([6, 1]);
  const wire = of(nobody, 1);
  await expect(due(wire)).rejects.toMatchObject({ code: 'relay-misbehaved', evidence: [wire] });
});
