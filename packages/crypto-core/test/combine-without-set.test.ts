import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineWithoutSet, Secret } from '@keytide/crypto-core';
import { changed, newSecret, quorum } from './quorum-world.ts';
import { seededRandom } from './seeded-random.ts';

const isIt = (candidate: Secret): boolean => candidate.equals(newSecret());
const other = (at: number) => (bytes: Uint8Array) => {
  bytes[at] = (bytes[at] as number) ^ 1;
};
/** The first byte of the value, behind version, set id, index and salt. */
const VALUE = 34;

test('M good shares give the secret without their set, whatever one or two wrong ones are among them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 5 }),
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
      fc.integer({ min: 0, max: 2 }),
      async (threshold, order, wrong) => {
        const holders = order.map((i) => `holder ${i}`);
        const { shares } = await quorum({ threshold, holders });
        const bad = order.slice(0, wrong);
        const good = order.slice(wrong, wrong + threshold);
        const given = order
          .filter((i) => bad.includes(i) || good.includes(i))
          .map((i) => ({ i, share: shares[i] as Secret }))
          .map(({ i, share }) => (bad.includes(i) ? changed(share, other(VALUE + i)) : share));
        const found = await combineWithoutSet(given, isIt);
        const isThere = good.length === threshold;
        expect(found?.secret.equals(newSecret()) ?? false).toBe(isThere);
        const wrongOnes = isThere ? bad.map(() => 'poisoned-share') : undefined;
        expect(found?.refused.map(({ code }) => code)).toEqual(wrongOnes);
      },
    ),
    { numRuns: 25 },
  );
});

test('too few, of several sets, or of another secret, give nothing', async () => {
  const { shares } = await quorum({});
  const later = await quorum({ random: seededRandom('later') });
  const strange = await quorum({ random: seededRandom('strange'), secret: newSecret(7) });
  const [one, two, three] = shares as [Secret, Secret, Secret];
  expect(await combineWithoutSet([], isIt)).toBeNull();
  expect(await combineWithoutSet([one, two], isIt)).toBeNull();
  expect(await combineWithoutSet([one, two, two], isIt)).toBeNull();
  expect(await combineWithoutSet([one, two, later.shares[2] as Secret], isIt)).toBeNull();
  expect(await combineWithoutSet(strange.shares, isIt)).toBeNull();
  const found = await combineWithoutSet(
    [
      ...[strange.shares[0] as Secret, one, one, changed(one, other(VALUE)), changed(two, other(0))],
      ...[two, changed(two, (bytes) => (bytes[17] = 0)), three],
    ],
    isIt,
  );
  expect(found?.secret.equals(newSecret())).toBe(true);
  expect(found?.refused).toMatchObject([
    { position: 0, code: 'wrong-context' },
    { position: 2, code: 'duplicate-share' },
    { position: 3, index: 1, code: 'poisoned-share' },
    { position: 4, code: 'unsupported-version' },
    { position: 6, code: 'bad-share-index' },
  ]);
});

test('a crowd of wrong ones is given up, not counted through', async () => {
  const { shares } = await quorum({});
  const crowd = Array.from({ length: 60 }, (_, i) =>
    changed(shares[0] as Secret, (bytes) => bytes.set([i, i], VALUE)),
  );
  expect(await combineWithoutSet([...crowd, ...shares], isIt)).toBeNull();
  const many = await quorum({ holders: Array.from({ length: 30 }, (_, i) => `holder ${i}`) });
  let asked = 0;
  expect(await combineWithoutSet(many.shares, () => (asked++, false))).toBeNull();
  expect(asked).toBe(3_000);
});
