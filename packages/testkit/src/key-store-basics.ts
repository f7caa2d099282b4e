import type { KeyStore } from '@keytide/crypto-core';
import { expectCode, expectSame, type KeyStoreCheck } from './key-store-check.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Reading, writing, deleting and closing. */
export const basicChecks: readonly KeyStoreCheck[] = [
  onNewStore('is empty when it is new', async (store) => {
    expectSame(await store.get('a'), null);
    expectSame(await store.names(''), []);
  }),
  onNewStore('writes, overwrites and deletes', async (store) => {
    await store.write([
      { name: 'a', value: bytes(1) },
      { name: 'b', value: bytes() },
    ]);
    expectSame(await store.get('a'), bytes(1));
    expectSame(await store.get('b'), bytes());
    await store.write([
      { name: 'a', value: bytes(2) },
      { name: 'b', value: null },
      { name: 'never', value: null },
    ]);
    expectSame(await store.get('a'), bytes(2));
    expectSame(await store.get('b'), null);
    expectSame(await store.names(''), ['a']);
  }),
  onNewStore('lets the last change of a name in a batch win', async (store) => {
    await store.write([
      { name: 'a', value: bytes(1) },
      { name: 'a', value: null },
      { name: 'a', value: bytes(3) },
    ]);
    expectSame(await store.get('a'), bytes(3));
    await store.write([]);
    expectSame(await store.names(''), ['a']);
  }),
  onNewStore('lists names by prefix in code unit order', async (store) => {
    const names = ['épö/1', 'epoch/2', '\u{1f30a}', 'epoch/10', 'device', '\uffee', 'epoch', '__proto__', ''];
    await store.write(names.map((name) => ({ name, value: bytes(1) })));
    expectSame(await store.names('epoch'), ['epoch', 'epoch/10', 'epoch/2']);
    const all = ['', '__proto__', 'device', 'epoch', 'epoch/10', 'epoch/2', 'épö/1', '\u{1f30a}', '\uffee'];
    expectSame(await store.names(''), all);
    expectSame(await store.names('nothing'), []);
  }),
  onNewStore('copies on the way in and out', async (store) => {
    const value = bytes(1, 2, 3);
    const writing = store.write([{ name: 'a', value }]);
    value.fill(9);
    await writing;
    (await store.get('a'))?.fill(8);
    expectSame(await store.get('a'), bytes(1, 2, 3));
  }),
  onNewStore('takes batches that overlap in time, in order for each name', async (store) => {
    const writings = Array.from({ length: 40 }, (_, index) =>
      store.write([
        { name: 'last', value: bytes(index) },
        { name: `each/${index}`, value: bytes(index) },
      ]),
    );
    await Promise.all(writings);
    expectSame(await store.get('last'), bytes(39));
    expectSame((await store.names('each/')).length, 40);
  }),
  onNewStore('refuses a name that has no UTF-8, and all of its batch', async (store) => {
    const batch = [
      { name: 'a', value: bytes(1) },
      { name: 'lone \ud800', value: bytes(2) },
    ];
    const beside = store.write([{ name: 'b', value: bytes(3) }]);
    await expectCode('malformed', () => store.write(batch));
    await beside;
    expectSame(await store.names(''), ['b']);
  }),
  onNewStore('refuses every call after close, but not closing again', async (store) => {
    await store.write([{ name: 'a', value: bytes(1) }]);
    await store.close();
    await store.close();
    await expectCode('disposed', () => store.get('a'));
    await expectCode('disposed', () => store.names(''));
    await expectCode('disposed', () => store.write([]));
  }),
  onNewStore('keeps a value of a MiB', async (store) => {
    const value = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
    await store.write([{ name: 'big', value }]);
    expectSame(await store.get('big'), value);
  }),
  onNewStore('keeps two thousand names', async (store) => {
    const names = Array.from({ length: 2000 }, (_, index) => `name/${10_000 + index}`);
    await store.write(names.map((name, index) => ({ name, value: bytes(index & 255) })));
    expectSame(await store.names('name/'), names);
    expectSame(await store.get('name/11999'), bytes(1999 & 255));
    await store.write(names.slice(1).map((name) => ({ name, value: null })));
    expectSame(await store.names(''), ['name/10000']);
  }),
];

function onNewStore(name: string, act: (store: KeyStore) => Promise<void>): KeyStoreCheck {
  return {
    name,
    async check(under) {
      const store = await under.create();
      try {
        await act(store);
      } finally {
        await store.close();
      }
    },
  };
}
