import { encodeCbor, memoryKeyStore, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { settle, verifyForkProof, type Anchor, type MapCheckpoint } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { relay, ShownLog, witnessedWorld } from '../../key-directory/test/trust/shown-log.ts';
import { replayedSince } from '../src/replayed-anchor.ts';

const world = witnessedWorld({ seed: 'replayed', members: 3, admins: 2 });
const log = await new ShownLog().grow(world);
const proofs = { primitives, source: log };

/** What a device keeps that has replayed all of the log. */
async function replayedStore(): Promise<KeyStore> {
  const keyStore = memoryKeyStore();
  const value = encodeCbor([relay.publicKey, log.note([], 0)]);
  await keyStore.write([{ name: 'log-checkpoint', value }]);
  return keyStore;
}

async function anchorAt(checkpoint: MapCheckpoint): Promise<Anchor> {
  const anchor = await settle(proofs, log.note([], 0, log.checkpoint(checkpoint.size)), []);
  return { ...anchor, checkpoint, note: log.note([], 0, checkpoint) };
}

const before = log.checkpoint(log.size - 1);

test('a replay that went further than the anchor is where trust goes on', async () => {
  const replayed = await replayedSince(await replayedStore(), proofs, await anchorAt(before));
  expect(replayed).toMatchObject({ checkpoint: log.checkpoint(), cosigners: [] });
});

test('one that went no further is not, nor is one that never was', async () => {
  expect(await replayedSince(await replayedStore(), proofs, await anchorAt(log.checkpoint()))).toBeNull();
  expect(await replayedSince(memoryKeyStore(), proofs, await anchorAt(before))).toBeNull();
});

test('one of another log than the anchor’s is a fork, with the proof of it', async () => {
  const other = await anchorAt({ ...before, root: new Uint8Array(32).fill(1) });
  const error = await replayedSince(await replayedStore(), proofs, other).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'relay-forked' });
  const [proof] = (error as { evidence: Uint8Array[] }).evidence;
  expect(verifyForkProof(primitives, proof as Uint8Array)).toMatchObject({ claim: 'forked' });
});
