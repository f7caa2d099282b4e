import { memoryKeyStore, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  deviceNoteKey,
  logNoteKey,
  logSignature,
  originOf,
  parseNote,
  verifyNote,
  type LogCheckpoint,
} from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { Cosigner } from '../src/cosigner.ts';
import type { SignedCheckpoint } from '../src/signed-checkpoint.ts';

const world = seededWorld({ seed: 'cosigner', members: 1 });
const { signer } = world.members[0]!.devices[0];
const relay = primitives.signer(new Uint8Array(32).fill(3));
const hash = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function signed(size: number, root: number, map: number | null = 0, extension = ''): SignedCheckpoint {
  const checkpoint: LogCheckpoint = {
    origin: originOf(world.org),
    size,
    root: hash(root),
    mapRoot: map === null ? null : hash(map),
  };
  const note = assembleNote(checkpointText(checkpoint) + extension, [
    logSignature(primitives, relay, checkpoint),
  ]);
  return { ...checkpoint, note, key: logNoteKey(checkpoint.origin, relay.publicKey) };
}

const open = (keyStore: KeyStore): Promise<Cosigner> => Cosigner.open({ primitives, keyStore, signer });

test('the note has the relay’s signature and this device’s, both over the same text', async () => {
  const checkpoint = signed(4, 1);
  const note = await (await open(memoryKeyStore())).cosign(checkpoint, 1000);
  const keys = [checkpoint.key, deviceNoteKey(primitives, signer.publicKey)];
  const { verified } = verifyNote(primitives, parseNote(note as Uint8Array), keys);
  expect(verified.map(({ timeSeconds }) => timeSeconds)).toEqual([null, 1000]);
});

test('the same again and larger ones; never a smaller tree, another root or another map', async () => {
  const cosigner = await open(memoryKeyStore());
  expect(await cosigner.cosign(signed(4, 1), 1)).not.toBeNull();
  expect(await cosigner.cosign(signed(4, 1), 2)).not.toBeNull();
  expect(await cosigner.cosign(signed(3, 1), 3)).toBeNull();
  expect(await cosigner.cosign(signed(4, 2), 3)).toBeNull();
  expect(await cosigner.cosign(signed(4, 1, 9), 3)).toBeNull();
  expect(await cosigner.cosign(signed(5, 2), 4)).not.toBeNull();
  expect(await cosigner.cosign(signed(4, 1), 5)).toBeNull();
});

test('two at the same moment: the larger one is not followed by the smaller', async () => {
  const cosigner = await open(memoryKeyStore());
  const [larger, smaller] = await Promise.all([
    cosigner.cosign(signed(5, 2), 1),
    cosigner.cosign(signed(4, 1), 1),
  ]);
  expect([larger === null, smaller === null]).toEqual([false, true]);
});

test('nothing without a map, and nothing with a line that this build does not know', async () => {
  const cosigner = await open(memoryKeyStore());
  expect(await cosigner.cosign(signed(4, 1, null), 1)).toBeNull();
  expect(await cosigner.cosign(signed(4, 1, 0, 'more than it knows\n'), 1)).toBeNull();
});

test('after a restart it remembers', async () => {
  const keyStore = memoryKeyStore();
  await (await open(keyStore)).cosign(signed(4, 1), 1);
  const again = await open(keyStore);
  expect(await again.cosign(signed(4, 2), 2)).toBeNull();
  expect(await again.cosign(signed(3, 1), 2)).toBeNull();
  expect(await again.cosign(signed(4, 1), 2)).not.toBeNull();
});

test('what cannot be remembered is not signed, and is stored before the signature is made', async () => {
  const kept = memoryKeyStore();
  const order: string[] = [];
  let isFull = true;
  const keyStore: KeyStore = {
    ...kept,
    get: (name) => kept.get(name),
    async write(changes) {
      if (isFull) throw Object.assign(new Error('no space'), { code: 'storage-full' });
      await kept.write(changes);
      order.push('stored');
    },
  };
  const watched = { ...signer, sign: (bytes: Uint8Array) => (order.push('signed'), signer.sign(bytes)) };
  const cosigner = await Cosigner.open({ primitives, keyStore, signer: watched });
  await expect(cosigner.cosign(signed(4, 1), 1)).rejects.toMatchObject({ code: 'storage-full' });
  expect(order).toEqual([]);
  isFull = false;
  expect(await cosigner.cosign(signed(5, 2), 1)).not.toBeNull();
  expect(order).toEqual(['stored', 'signed']);
});

test('a memory that is none is said, not forgotten', async () => {
  const keyStore = memoryKeyStore();
  await keyStore.write([{ name: 'cosigned', value: Uint8Array.of(0xff) }]);
  await expect(open(keyStore)).rejects.toMatchObject({ code: 'store-damaged' });
});
