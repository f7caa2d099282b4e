import { asciiBytes, fromHex, openBox, openEpochBox, parseEpochStatement, toHex } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import type { SuiteReport } from './checks.ts';
import { exampleWorld } from './example-world.ts';
import { readSuiteInput } from './suite-input.ts';

/** Fewer checks than this means that part of the suite did not run. */
const FEWEST_CHECKS = 70;

/**
 * What is wrong with a report; nothing when all checks ran and held, and Node opens what that runtime sealed with
 * its own randomness.
 */
export function reportProblems(report: SuiteReport | undefined, provider: string): readonly string[] {
  if (report?.provider !== provider) return [`a report of ${report?.provider ?? 'nothing'}`];
  const problems = [...report.failed];
  if (report.passed.length < FEWEST_CHECKS) problems.push(`only ${report.passed.length} checks`);
  try {
    if (toHex(openMadeBox(report)) !== toHex(asciiBytes('for Bob'))) problems.push('another sealed text');
    if (openMadeEpochBox(report) !== 'e1'.repeat(32)) problems.push('another epoch key');
  } catch (error) {
    problems.push(`Node cannot open what was sealed: ${String(error)}`);
  }
  return problems;
}

const { bob } = exampleWorld(nodePrimitives);

function openMadeBox(report: SuiteReport): Uint8Array {
  return openBox(nodePrimitives, bob.decapsulator, asciiBytes('an example'), bytesOf(report.made['box']));
}

function openMadeEpochBox(report: SuiteReport): string {
  const wire = bytesOf(readSuiteInput().examples['epoch-statement/statement']);
  const statement = parseEpochStatement(nodePrimitives, wire);
  const box = bytesOf(report.made['epochBox']);
  return openEpochBox(nodePrimitives, bob.decapsulator, statement, bob.id, box).use(toHex);
}

function bytesOf(hex: string | undefined): Uint8Array {
  const bytes = fromHex(hex ?? 'missing');
  if (bytes === null) throw new Error('the report has no such bytes');
  return bytes;
}
