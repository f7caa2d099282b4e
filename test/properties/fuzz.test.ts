import { describe, expect, test } from 'vitest';
import { decoders } from './decoders.ts';
import { fuzzApart, fuzzSeed } from './fuzz-process.ts';

const RUNS = 1_000;

test('every reader of untrusted bytes stands mutated inputs', { timeout: 400_000 }, async () => {
  const task = { table: './decoders.ts', runs: RUNS, seed: fuzzSeed('fuzz') };
  const reports = await fuzzApart(task, 350_000);
  expect(reports.map(({ name }) => name)).toEqual(decoders.map(({ name }) => name));
  expect(new Set(reports.map(({ name }) => name)).size).toBe(decoders.length);
  for (const { name, inputs, refused } of reports) {
    const total = Object.values(refused).reduce((sum, count) => sum + count, 0);
    expect(total, `${name} refuses`).toBeGreaterThan(inputs / 100);
  }
});

describe('the suite itself tells a reader that', () => {
  const fuzzOne = (name: string, timeoutMs = 60_000) =>
    fuzzApart({ table: './bad-decoders.ts', names: [name], runs: 3_000, seed: 7 }, timeoutMs);

  test('does nothing wrong', async () => {
    const [report] = await fuzzOne('good');
    expect(report?.refused['malformed']).toBeGreaterThan(100);
    expect(report?.accepted).toBeGreaterThan(100);
  });
  test.each([
    ['refuses what is good', 'refuses a good input'],
    ['throws another error', 'throws what it does not promise'],
    ['throws another code', 'throws what it does not promise'],
    ['overflows the stack', 'throws what it does not promise'],
    ['accepts what it would not write', 'and writes'],
    ['believes a length', 'allocates'],
    ['writes to its input', 'changes its input'],
    ['fills the heap', 'heap'],
  ])('%s', async (name, said) => {
    await expect(fuzzOne(name)).rejects.toMatchObject({ stderr: expect.stringContaining(said) });
  });
  test('never comes back', async () => {
    await expect(fuzzOne('never comes back', 3_000)).rejects.toMatchObject({ killed: true });
  });
});
