import { createRequire } from 'node:module';
import { bundle } from '../../../test/runtimes/bundle.ts';
import { runInHermes } from '../../../test/runtimes/hermes.ts';
import type { Samples } from '../contest.ts';
import { contestRows, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { handOver } from './hand-over.ts';
import type { HermesInput } from './hermes-entry.ts';

const MESSAGES = 1_000;
const { version } = createRequire(import.meta.url)('hermes-engine-cli/package.json') as { version: string };
export const HERMES = `hermes ${version}`;

/** The portable build in the Hermes VM, with code lowered as for React Native. */
export async function benchHermes({ quick }: BenchOptions): Promise<Row[]> {
  const script = await bundle(new URL('hermes-entry.ts', import.meta.url), 'iife');
  const counts = quick ? { rounds: 1, oneByOne: 20, seals: 20 } : { rounds: 3, oneByOne: 50, seals: 50 };
  const value: HermesInput = { given: await handOver(MESSAGES, 10), ...counts };
  const samples = readSamples(await runInHermes(script, { name: 'benchInput', value }));
  const { oneByOne, seals } = counts;
  const each = `each signature checked (${oneByOne} messages, scaled to ${MESSAGES})`;
  const scaled = (samples['each signature checked'] ?? []).map((ms) => (ms * MESSAGES) / oneByOne);
  const common = { bench: 'crypto', unit: 'µs/message', runtime: HERMES };
  return [
    ...contestRows(
      { ...common, work: 'open a backlog of 1,000 × 1 KB', n: MESSAGES },
      { keytide: samples['keytide'] ?? [], [each]: scaled },
      { ours: 'keytide', valueOf: (ms) => (ms * 1_000) / MESSAGES, goals: { [each]: 10 } },
    ),
    plainRow(
      { ...common, work: 'seal 1 KB', n: seals },
      (samples['seal'] ?? []).map((ms) => (ms * 1_000) / seals),
    ),
  ];
}

/** @throws Error with what the script printed instead */
function readSamples(printed: string): Samples {
  try {
    return JSON.parse(printed) as Samples;
  } catch {
    throw new Error(`the bench in Hermes printed: ${printed.slice(0, 500)}`);
  }
}
