import { expect, test } from 'vitest';
import { attacksNobodyMakes, listedAttacks, testedAttacks } from './catalogue.ts';

test('every attack that the guide lists is tested, and every one that is tested is listed, where it is', async () => {
  const lines = async (attacks: typeof listedAttacks) =>
    (await attacks()).map(({ attack, file }) => `${file}: ${attack}`).toSorted();
  const listed = await lines(listedAttacks);
  expect(listed).toEqual([...new Set(await lines(testedAttacks))]);
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed.length).toBeGreaterThan(60);
});

test('every file of attacks is run', async () => {
  expect(await attacksNobodyMakes()).toEqual([]);
});
