import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyStore } from '@keytide/crypto-core';
import { codeOfAsync } from './code-of.ts';

/** How a suite gets at one adapter. `reopen` closes nothing: it is called after `close`. */
export interface KeyStoreHarness {
  /** A new, empty store. */
  readonly open: () => Promise<KeyStore>;
  /** The same store again, in an adapter that outlives `close`; `null` in one that does not. */
  readonly reopen: (() => Promise<KeyStore>) | null;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What every `KeyStore` adapter must do. */
export function keyStoreConformance(name: string, start: () => Promise<KeyStoreHarness>): void {
  describe(`key store conformance: ${name}`, () => {
    const withStore = async (use: (store: KeyStore, harness: KeyStoreHarness) => Promise<void>) => {
      const harness = await start();
      const store = await harness.open();
      try {
        await use(store, harness);
      } finally {
        await store.close();
      }
    };

    test('a new store is empty', () =>
      withStore(async (store) => {
        expect(await store.get('a')).toBeNull();
        expect(await store.names('')).toEqual([]);
      }));

    test('writes, overwrites and deletes', () =>
      withStore(async (store) => {
        await store.write([
          { name: 'a', value: bytes(1) },
          { name: 'b', value: bytes() },
        ]);
        expect(await store.get('a')).toEqual(bytes(1));
        expect(await store.get('b')).toEqual(bytes());
        await store.write([
          { name: 'a', value: bytes(2) },
          { name: 'b', value: null },
          { name: 'never', value: null },
        ]);
        expect(await store.get('a')).toEqual(bytes(2));
        expect(await store.get('b')).toBeNull();
        expect(await store.names('')).toEqual(['a']);
      }));

    test('within a batch the last change of a name wins', () =>
      withStore(async (store) => {
        await store.write([
          { name: 'a', value: bytes(1) },
          { name: 'a', value: null },
          { name: 'a', value: bytes(3) },
        ]);
        expect(await store.get('a')).toEqual(bytes(3));
        await store.write([]);
        expect(await store.names('')).toEqual(['a']);
      }));

    test('lists names by prefix, sorted', () =>
      withStore(async (store) => {
        const names = ['epoch/2', 'epoch/10', 'device', 'épö/1', 'epoch', '__proto__', ''];
        await store.write(names.map((own) => ({ name: own, value: bytes(1) })));
        expect(await store.names('epoch')).toEqual(['epoch', 'epoch/10', 'epoch/2']);
        expect(await store.names('')).toEqual(names.toSorted());
        expect(await store.names('nothing')).toEqual([]);
      }));

    test('copies on the way in and out', () =>
      withStore(async (store) => {
        const value = bytes(1, 2, 3);
        const writing = store.write([{ name: 'a', value }]);
        value.fill(9);
        await writing;
        (await store.get('a'))?.fill(8);
        expect(await store.get('a')).toEqual(bytes(1, 2, 3));
      }));

    test('concurrent batches all arrive, in order for each name', () =>
      withStore(async (store) => {
        await Promise.all(
          Array.from({ length: 40 }, (_, index) =>
            store.write([
              { name: 'last', value: bytes(index) },
              { name: `each/${index}`, value: bytes(index) },
            ]),
          ),
        );
        expect(await store.get('last')).toEqual(bytes(39));
        expect(await store.names('each/')).toHaveLength(40);
      }));

    test('after close every call is refused, and closing again is not', () =>
      withStore(async (store) => {
        await store.write([{ name: 'a', value: bytes(1) }]);
        await store.close();
        await store.close();
        expect(await codeOfAsync(() => store.get('a'))).toBe('disposed');
        expect(await codeOfAsync(() => store.names(''))).toBe('disposed');
        expect(await codeOfAsync(() => store.write([]))).toBe('disposed');
      }));

    test('behaves as a map does, also across closing where it outlives that', async () => {
      const oneChange = fc.record({
        name: fc.constantFrom('a', 'b', 'c/1', 'c/2'),
        value: fc.option(fc.uint8Array({ maxLength: 20 })),
      });
      const step = fc.oneof(
        { weight: 5, arbitrary: fc.array(oneChange, { maxLength: 4 }) },
        { weight: 1, arbitrary: fc.constant('reopen' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          const harness = await start();
          const model = new Map<string, Uint8Array>();
          let store = await harness.open();
          for (const action of steps) {
            if (action === 'reopen') {
              if (harness.reopen === null) continue;
              await store.close();
              store = await harness.reopen();
              continue;
            }
            await store.write(action);
            for (const change of action)
              if (change.value === null) model.delete(change.name);
              else model.set(change.name, change.value);
            expect(await store.names('')).toEqual([...model.keys()].toSorted());
            for (const [key, value] of model) expect(await store.get(key)).toEqual(value);
          }
          await store.close();
        }),
        { numRuns: 15 },
      );
    });
  });
}
