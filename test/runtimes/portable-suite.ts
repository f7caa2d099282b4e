import { fromHex, memoryKeyStore, type Primitives, type Random } from '@keytide/crypto-core';
import { keyStoreChecks } from '@keytide/testkit/key-store';
import { formatReaders, type FormatCases } from '../../packages/crypto-core/test/format-readers.ts';
import { checkAggregates } from './aggregate-checks.ts';
import { checkAttachments, type AttachmentVectors } from './attachment-checks.ts';
import { checkChannels } from './channel-checks.ts';
import { Checks, expectEqual, outcomeOf, type SuiteReport } from './checks.ts';
import { checkFormats } from './format-checks.ts';
import { checkQuorum, type QuorumVectors } from './quorum-checks.ts';
import { checkRuns } from './run-checks.ts';
import { checkSeededVectors, checkVectors, type Vectors } from './vector-checks.ts';

/** What the suite compares with, as JSON: it is handed to runtimes that cannot read files. */
export interface SuiteInput {
  readonly vectors: Vectors;
  /** Hex of the examples in docs/spec by page and name. */
  readonly examples: Readonly<Record<string, string>>;
  /** Good and bad bytes of each format. */
  readonly formats: Readonly<Record<string, FormatCases>>;
  readonly attachment: AttachmentVectors;
  readonly quorum: QuorumVectors;
}

/**
 * The one suite of every runtime: published vectors, edge cases, every format of crypto-core against the example
 * bytes of its specification and against bytes that it must refuse, and what is sealed, dealt, sent and stored here.
 * `withRandom` makes the same provider with chosen randomness, where that can be done.
 */
export async function portableSuite(
  primitives: Primitives,
  input: SuiteInput,
  withRandom: ((random: Random) => Promise<Primitives>) | null,
): Promise<SuiteReport> {
  const checks = new Checks();
  await checkVectors(checks, primitives, input.vectors);
  if (withRandom !== null) await checkSeededVectors(checks, withRandom, input.vectors);
  const example = (name: string): Uint8Array => {
    const bytes = fromHex(input.examples[name] ?? 'missing');
    if (bytes === null) throw new Error(`docs/spec has no example ${name}`);
    return bytes;
  };
  const statement = example('epoch-statement/statement');
  await checkFormatVectors(checks, primitives, statement, input.formats);
  const made = {
    ...(await checkFormats(checks, primitives, example)),
    ...(await checkAttachments(checks, primitives, repeatable(1), input.attachment)),
    ...(await checkQuorum(checks, primitives, repeatable(2), input.quorum)),
  };
  await checkRuns(checks, primitives, repeatable(3), statement);
  await checkChannels(checks, primitives, repeatable(4), statement);
  await checkKeyStore(checks);
  await checkAggregates(checks, primitives, repeatable(5));
  return { provider: primitives.name, passed: checks.passed, failed: checks.failed, made };
}

async function checkFormatVectors(
  checks: Checks,
  primitives: Primitives,
  statement: Uint8Array,
  formats: Readonly<Record<string, FormatCases>>,
): Promise<void> {
  for (const [format, read] of Object.entries(formatReaders(primitives, statement))) {
    const { valid, invalid } = formats[format] ?? { valid: [], invalid: [] };
    if (valid.length === 0) checks.failed.push(`${format}: no vectors`);
    for (const vector of valid)
      await checks.run(`${format}: ${vector['name']}`, () => expectEqual(read(vector), vector['gives']));
    for (const vector of invalid)
      await checks.run(`${format}, refused: ${vector['name']}`, () =>
        expectEqual(
          outcomeOf(() => read(vector)),
          vector['code'],
        ),
      );
  }
}

/** The key store that every runtime has. */
async function checkKeyStore(checks: Checks): Promise<void> {
  const create = async () => memoryKeyStore();
  const under = { create, open: null, beside: null, crash: null, kept: null };
  for (const { name, check } of keyStoreChecks)
    await checks.run(`memory key store: ${name}`, () => check(under));
}

/** Bytes that differ from call to call, and are the same on every runtime. */
function repeatable(seed: number): Random {
  let counter = seed * 7919;
  return (sizeBytes) => {
    counter += 1;
    return new Uint8Array(sizeBytes).map((_, index) => (index * 73 + counter * 151 + (counter >> 8)) & 0xff);
  };
}
