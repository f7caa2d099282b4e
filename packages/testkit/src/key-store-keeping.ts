import { asciiBytes, type KeyStore, type KeyStoreChange } from '@keytide/crypto-core';
import { expectCode, expectSame, type KeyStoreCheck } from './key-store-check.ts';

/** What outlives closing and crashes, what does not outlive deletion, and who else may look. */
export const keepingChecks: readonly KeyStoreCheck[] = [
  {
    name: 'behaves as a map does, also across closing where it outlives that',
    async check(under) {
      let store = await under.create();
      const model = new Map<string, Uint8Array>();
      const draw = drawing(20_261_121);
      for (let step = 0; step < 60; step += 1) {
        if (draw(6) === 0 && under.open !== null) {
          await store.close();
          store = await under.open();
        }
        const batch = Array.from({ length: draw(5) }, (): KeyStoreChange => {
          const value = draw(4) === 0 ? null : new Uint8Array(draw(20)).map(() => draw(256));
          return { name: ['a', 'b', 'c/1', 'c/2'][draw(4)] as string, value };
        });
        await store.write(batch);
        for (const { name, value } of batch)
          if (value === null) model.delete(name);
          else model.set(name, value);
        for (const name of ['a', 'b', 'c/1', 'c/2'])
          expectSame(await store.get(name), model.get(name) ?? null);
      }
      await store.close();
    },
  },
  {
    name: 'finishes what was begun before it closes',
    async check(under) {
      if (under.open === null) return;
      const store = await under.create();
      const writings = [1, 2, 3].map((n) => store.write([{ name: `${n}`, value: Uint8Array.of(n) }]));
      await store.close();
      await Promise.all(writings);
      const again = await under.open();
      expectSame(await again.names(''), ['1', '2', '3']);
      await again.close();
    },
  },
  {
    name: 'has every acknowledged batch after a crash',
    async check(under) {
      if (under.crash === null) return;
      const store = await under.create();
      for (let n = 1; n <= 5; n += 1) await store.write([{ name: `${n}`, value: Uint8Array.of(n) }]);
      await store.write([{ name: '2', value: null }]);
      const again = await under.crash();
      expectSame(await again.names(''), ['1', '3', '4', '5']);
      await again.close();
    },
  },
  {
    name: 'shows no name and no value in what it keeps, and keeps nothing of what was deleted',
    async check(under) {
      if (under.kept === null || under.open === null) return;
      const [name, value] = ['a name that must not show', asciiBytes('a value that must not show')];
      const store = await under.create();
      await store.write([
        { name, value },
        { name: 'other', value: Uint8Array.of(1) },
      ]);
      const before = await under.kept();
      expectSame(before.length > 0, true);
      await store.write([{ name, value: null }]);
      const after = await under.kept();
      for (const piece of [...before, ...after])
        for (const plain of [asciiBytes(name), value]) expectSame(includes(piece, plain), false);
      // The end of a sealed text is its tag: another text has another.
      for (const piece of before) for (const now of after) expectSame(includes(now, piece.slice(-16)), false);
      await store.close();
      const again = await under.open();
      expectSame(await again.names(''), ['other']);
      await again.close();
    },
  },
  {
    name: 'is shared by two that have it open, or refuses the second',
    async check(under) {
      if (under.open === null || under.beside === null) return;
      const { open, beside } = under;
      const first = await under.create();
      if (beside === 'shared') await shareStore(first, await open());
      else await expectCode(beside, open);
      await first.close();
      const again = await open();
      await again.close();
    },
  },
];

/** Both write and see what the other wrote and deleted; no acknowledged batch of either is lost. */
async function shareStore(first: KeyStore, second: KeyStore): Promise<void> {
  await first.write([{ name: 'first', value: Uint8Array.of(1) }]);
  expectSame(await second.get('first'), Uint8Array.of(1));
  await second.write([{ name: 'first', value: null }]);
  expectSame(await first.get('first'), null);
  const writings: Promise<void>[] = [];
  for (let n = 10; n < 30; n += 1)
    for (const [from, store] of [first, second].entries())
      writings.push(store.write([{ name: `${from}/${n}`, value: Uint8Array.of(n) }]));
  await Promise.all(writings);
  for (const store of [first, second])
    for (const from of ['0/', '1/']) expectSame((await store.names(from)).length, 20);
  await second.close();
}

function includes(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let at = 0; at + part.length <= bytes.length; at += 1)
    if (part.every((byte, index) => bytes[at + index] === byte)) return true;
  return false;
}

/** Numbers below a limit that are the same on every run and runtime (a linear congruence, Numerical Recipes §7.1). */
function drawing(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
