import { describe, expect, test } from 'vitest';
import { decoders } from './decoders.ts';
import { fuzzApart, fuzzSeed } from './fuzz-process.ts';

/** A whole run takes five minutes of two cores; the gate takes a part of it. */
const RUNS = Number(process.env['KEYTIDE_FUZZ_RUNS'] ?? 100_000);
/** Fifty times what a slow reader takes alone: the machine may be busy. */
const DEADLINE_MS = 550_000;

describe.concurrent(`${RUNS} mutated inputs each`, () => {
  const seed = fuzzSeed('fuzz');
  test.each(decoders.map(({ name, slowness = 1 }) => ({ name, slowness })))('$name', async (decoder) => {
    const { name, slowness } = decoder;
    const task = { table: './decoders.ts', names: [name], runs: RUNS, seed };
    const [report] = await fuzzApart(task, DEADLINE_MS);
    expect(report?.name).toBe(name);
    expect(report?.inputs).toBe(RUNS / slowness);
  });
});
