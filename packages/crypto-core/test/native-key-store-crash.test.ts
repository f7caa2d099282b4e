import { describe, expect, test } from 'vitest';
import { CryptoError, type KeyStore } from '@keytide/crypto-core';
import { openNativeKeyStore } from '@keytide/crypto-core/react-native';
import { copyOf, FAULTS, faultyPorts, isPlatformError, phoneWith, type Phone } from './native-phone.ts';

const options = { name: 'vault', create: true };
/** More operations than a life of the app below has. */
const MOST_OPERATIONS = 60;

/** One life of the app: four batches, of which each changes two values together and one deletes. */
async function live(store: KeyStore, acknowledged: (count: number) => void): Promise<void> {
  for (let count = 1; count <= 4; count += 1) {
    const value = Uint8Array.of(count);
    await store.write([
      { name: 'left', value },
      { name: 'gone', value: count === 3 ? null : value },
      { name: 'right', value },
    ]);
    acknowledged(count);
  }
}

/** Which batch the vault shows; fails where it shows parts of two. */
async function batchOf(store: KeyStore): Promise<number> {
  const [left, right, gone] = await Promise.all(['left', 'right', 'gone'].map((name) => store.get(name)));
  expect(left).toEqual(right);
  const count = left?.[0] ?? 0;
  expect(gone).toEqual(count === 3 ? null : (left ?? null));
  return count;
}

async function batchOnDisk(phone: Phone): Promise<number> {
  const store = await openNativeKeyStore(phone.start(), options);
  const count = await batchOf(store);
  await store.close();
  return count;
}

/** Lives once with a fault; gives the last acknowledged batch and how many operations there were. */
async function liveWith(phone: Phone, at: number, fault: (typeof FAULTS)[number]) {
  const { ports, crash, operations } = faultyPorts(phone, at, fault);
  let last = 0;
  let store: KeyStore | null = null;
  const life = async (): Promise<void> => {
    store = await openNativeKeyStore(ports, options);
    await live(store, (count) => (last = count));
  };
  await Promise.race([life(), crash]).catch((error: unknown) => {
    if (!isPlatformError(error)) throw error;
  });
  return { last, operations, store: store as KeyStore | null };
}

describe('a phone whose storage fails', () => {
  for (const fault of FAULTS)
    test(`at any operation (${fault}) has the last acknowledged batch or the next, whole`, async () => {
      let hits = 0;
      for (let at = 0; at < MOST_OPERATIONS; at += 1) {
        const phone = phoneWith();
        const { last, operations } = await liveWith(phone, at, fault);
        if (operations() <= at) break;
        hits += 1;
        const found = await batchOnDisk(phone);
        expect([last, last + 1]).toContain(found);
        // What an interrupted writing left is gone.
        expect(phone.storage.blobs.size).toBe(1);
      }
      expect(hits).toBeGreaterThan(15);
      expect(hits).toBeLessThan(MOST_OPERATIONS);
    });

  test('twice, the second time while it goes on from the first, still has one whole batch', async () => {
    for (const first of FAULTS)
      for (let at = 0; at < MOST_OPERATIONS; at += 1) {
        const phone = phoneWith();
        const { last, operations } = await liveWith(phone, at, first);
        if (operations() <= at) break;
        for (let next = 0; next < 12; next += 1) {
          const again = copyOf(phone);
          const { last: later } = await liveWith(again, next, 'crash midway');
          const found = await batchOnDisk(again);
          if (later > 0) expect([later, later + 1]).toContain(found);
          else expect([last, last + 1, 1]).toContain(found);
        }
      }
  });

  test('and refuses a batch keeps the others, and goes on', async () => {
    for (const fault of ['refused', 'refused after'] as const)
      for (let at = 0; at < MOST_OPERATIONS; at += 1) {
        const phone = phoneWith();
        const { last, operations, store } = await liveWith(phone, at, fault);
        if (operations() <= at) break;
        if (store === null) continue;
        const shown = await batchOf(store);
        expect([last, last + 1]).toContain(shown);
        // Were the app cut off now, what it showed is what would be found.
        expect(await batchOnDisk(copyOf(phone))).toBe(shown);
        await live(store, () => {});
        expect(await batchOf(store)).toBe(4);
        await store.close();
        expect(await batchOnDisk(phone)).toBe(4);
        expect(phone.storage.blobs.size).toBe(1);
      }
  });

  test('and refuses while opening leaves nothing behind that is locked', async () => {
    const phone = phoneWith();
    const { ports } = faultyPorts(phone, 0, 'refused');
    await expect(openNativeKeyStore(ports, options)).rejects.not.toBeInstanceOf(CryptoError);
    const store = await openNativeKeyStore(ports, options);
    await store.close();
  });
});
