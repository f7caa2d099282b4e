import { fromHex, type Primitives, type Random } from '@keytide/crypto-core';
import { Checks, type SuiteReport } from './checks.ts';
import { checkFormats } from './format-checks.ts';
import { checkSeededVectors, checkVectors, type Vectors } from './vector-checks.ts';

/** What the suite compares with, as JSON: it is handed to runtimes that cannot read files. */
export interface SuiteInput {
  readonly vectors: Vectors;
  /** Hex of the examples in docs/spec by page and name. */
  readonly examples: Readonly<Record<string, string>>;
}

/**
 * The one suite of every runtime: published vectors, edge cases, and every format of crypto-core against the example
 * bytes of its specification. `withRandom` makes the same provider with chosen randomness, where that can be done.
 */
export async function portableSuite(
  primitives: Primitives,
  input: SuiteInput,
  withRandom: ((random: Random) => Promise<Primitives>) | null,
): Promise<SuiteReport> {
  const checks = new Checks();
  await checkVectors(checks, primitives, input.vectors);
  if (withRandom !== null) await checkSeededVectors(checks, withRandom, input.vectors);
  const made = await checkFormats(checks, primitives, (name) => {
    const bytes = fromHex(input.examples[name] ?? 'missing');
    if (bytes === null) throw new Error(`docs/spec has no example ${name}`);
    return bytes;
  });
  return { provider: primitives.name, passed: checks.passed, failed: checks.failed, made };
}
