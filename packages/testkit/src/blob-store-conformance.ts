import assert from 'node:assert/strict';
import { orgId, toHex } from '@keytide/crypto-core';
import type { BlobName, BlobStore } from '@keytide/server-relay';
import { seededRandom } from './seeded-random.ts';
import type { TestRunner } from './test-runner.ts';

/** What every `BlobStore` owes. `makeStore` opens the same bytes again when it is called again. */
export function blobStoreConformance(
  name: string,
  makeStore: () => Promise<BlobStore>,
  { describe, it }: TestRunner,
): void {
  const random = seededRandom(`blobs ${name} ${process.pid} ${process.hrtime.bigint()}`);
  const blob = (): BlobName => ({ org: orgId(random(32)), id: toHex(random(32)) });
  const failed = { code: 'blobs-failed' };

  describe(`BlobStore: ${name}`, () => {
    it('gives back any stretch of what was written in pieces', async () => {
      const store = await makeStore();
      const [one, bytes] = [blob(), random(700_000)];
      for (const [from, to] of [
        [0, 1],
        [1, 65_552],
        [65_552, 600_000],
        [600_000, 700_000],
      ] as const)
        await store.write(one, from, bytes.subarray(from, to));
      const again = await makeStore();
      for (const [offset, sizeBytes] of [
        [0, 700_000],
        [0, 1],
        [65_551, 2],
        [200_000, 400_001],
        [699_999, 1],
      ] as const)
        assert.deepEqual(await again.read(one, offset, sizeBytes), bytes.slice(offset, offset + sizeBytes));
    });
    it('writes over what a broken write left, and leaves the rest', async () => {
      const store = await makeStore();
      const one = blob();
      await store.write(one, 0, Uint8Array.of(1, 2, 3, 4));
      await store.write(one, 1, Uint8Array.of(7, 8));
      assert.deepEqual(await store.read(one, 0, 4), Uint8Array.of(1, 7, 8, 4));
      await store.write(one, 0, Uint8Array.of(9));
      assert.deepEqual(await store.read(one, 0, 4), Uint8Array.of(9, 7, 8, 4));
      await store.write(one, 4, Uint8Array.of(5));
      assert.deepEqual(await store.read(one, 0, 5), Uint8Array.of(9, 7, 8, 4, 5));
    });
    it('keeps blobs of one id in two organisations apart', async () => {
      const store = await makeStore();
      const [one, two] = [blob(), { ...blob(), id: 'ab'.repeat(32) }];
      const same = { ...one, id: two.id };
      await store.write(same, 0, Uint8Array.of(1));
      await store.write(two, 0, Uint8Array.of(2));
      assert.deepEqual(await store.read(same, 0, 1), Uint8Array.of(1));
      await store.remove(two);
      assert.deepEqual(await store.read(same, 0, 1), Uint8Array.of(1));
    });
    it('reads no more than there is, and nothing of what was removed', async () => {
      const store = await makeStore();
      const one = blob();
      await assert.rejects(store.read(one, 0, 1), failed);
      await store.write(one, 0, random(10));
      await assert.rejects(store.read(one, 0, 11), failed);
      await assert.rejects(store.read(one, 10, 1), failed);
      await store.remove(one);
      await assert.rejects(store.read(one, 0, 1), failed);
      await store.remove(one);
      await store.write(one, 0, Uint8Array.of(5));
      await assert.rejects(store.read(one, 0, 2), failed);
    });
  });
}
