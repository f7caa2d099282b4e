import { groupId, memoryKeyStore, Secret, type KeyStore } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { EpochKeyStore } from '../src/epoch-key-store.ts';
import { windowStartMs } from '../src/retention.ts';

const group = groupId('ab'.repeat(32));
const keyOf = (epoch: number): Secret => Secret.own(new Uint8Array(32).fill(epoch));
const raw = (key: Secret | null) => key?.use((bytes) => bytes.slice()) ?? null;

async function made(keyStore: KeyStore = memoryKeyStore()) {
  const keys = await EpochKeyStore.open(keyStore, group);
  const epochs = [1, 2, 3];
  await keys.add(
    epochs.map((epoch) => ({ statement: { epoch, blockEndMs: 1000 * epoch }, key: keyOf(epoch) })),
  );
  return { keyStore, keys };
}

test('a key goes at the very moment at which its block has ended, and no other with it', async () => {
  const { keys, keyStore } = await made();
  expect(await keys.deleteEndedBy(999, [])).toBe(false);
  expect(keys.firstEndMs).toBe(1000);
  expect(await keys.deleteEndedBy(1000, [{ name: 'with it', value: Uint8Array.of(1) }])).toBe(true);
  expect([await keys.get(1), raw(await keys.get(2))]).toEqual([null, raw(keyOf(2))]);
  expect(await keyStore.names('')).toEqual([`epoch/${group}/2`, `epoch/${group}/3`, 'with it']);
  expect(keys.firstEndMs).toBe(2000);
});

test('what is over is found without any log, by whoever opens the store next', async () => {
  const { keyStore } = await made();
  const again = await EpochKeyStore.open(keyStore, group);
  expect([again.firstEndMs, raw(await again.get(3))]).toEqual([1000, raw(keyOf(3))]);
  expect(await again.deleteEndedBy(2000, [])).toBe(true);
  expect(await keyStore.names('')).toEqual([`epoch/${group}/3`]);
});

test('all that is over goes in one write: killed before it or after it, and never half', async () => {
  for (const how of ['before', 'after'] as const) {
    const store = memoryKeyStore();
    let writes = 0;
    const keyStore: KeyStore = {
      ...store,
      async write(batch) {
        writes += 1;
        if (writes < 2) return store.write(batch);
        if (how === 'after') await store.write(batch);
        throw new Error('killed');
      },
    };
    const { keys } = await made(keyStore);
    await expect(keys.deleteEndedBy(2000, [])).rejects.toThrow('killed');
    expect(writes).toBe(2);
    const left = how === 'before' ? [1, 2, 3] : [3];
    expect(await store.names('')).toEqual(left.map((epoch) => `epoch/${group}/${epoch}`));
  }
});

test('Y is for admins; members and exporters have X', () => {
  const policy = { blockSeconds: 1, retentionSeconds: 10, exportSeconds: 50 };
  const starts = (['member', 'exporter', 'admin'] as const).map((role) =>
    windowStartMs(policy, role, 100_000),
  );
  expect(starts).toEqual([90_000, 90_000, 50_000]);
});
