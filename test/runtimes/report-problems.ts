import {
  asciiBytes,
  combineShares,
  concatBytes,
  fromHex,
  openAttachment,
  openBox,
  openEpochBox,
  orgId,
  parseAttachmentDescriptor,
  parseEpochStatement,
  Secret,
  toHex,
  verifyQuorumSet,
} from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import type { SuiteReport } from './checks.ts';
import { exampleWorld, filled } from './example-world.ts';
import { readSuiteInput } from './suite-input.ts';

/** Fewer checks than this means that part of the suite did not run. */
const FEWEST_CHECKS = 450;

/**
 * What is wrong with a report; nothing when all checks ran and held, and Node opens what that runtime sealed with
 * its own randomness.
 */
export async function reportProblems(
  report: SuiteReport | undefined,
  provider: string,
): Promise<readonly string[]> {
  if (report?.provider !== provider) return [`a report of ${report?.provider ?? 'nothing'}`];
  const problems = [...report.failed];
  if (report.passed.length < FEWEST_CHECKS) problems.push(`only ${report.passed.length} checks`);
  try {
    if (toHex(openMadeBox(report)) !== toHex(asciiBytes('for Bob'))) problems.push('another sealed text');
    if (openMadeEpochBox(report) !== 'e1'.repeat(32)) problems.push('another epoch key');
    if (openMadeAttachment(report).length !== 40) problems.push('another attachment');
    if ((await combineDealtShares(report)) !== '5e'.repeat(32)) problems.push('another shared secret');
  } catch (error) {
    problems.push(`Node cannot open what was sealed: ${String(error)}`);
  }
  return problems;
}

const { alice, bob } = exampleWorld(nodePrimitives);

function openMadeBox(report: SuiteReport): Uint8Array {
  return openBox(nodePrimitives, bob.decapsulator, asciiBytes('an example'), bytesOf(report.made['box']));
}

function openMadeEpochBox(report: SuiteReport): string {
  const wire = bytesOf(readSuiteInput().examples['epoch-statement/statement']);
  const statement = parseEpochStatement(nodePrimitives, wire);
  const box = bytesOf(report.made['epochBox']);
  return openEpochBox(nodePrimitives, [bob.decapsulator], statement, bob.id, box).use(toHex);
}

function openMadeAttachment(report: SuiteReport): Uint8Array {
  const descriptor = parseAttachmentDescriptor(bytesOf(report.made['descriptor']));
  const opener = openAttachment(nodePrimitives, descriptor);
  const content = opener.push(bytesOf(report.made['attachment']));
  opener.end();
  return concatBytes(...content);
}

async function combineDealtShares(report: SuiteReport): Promise<string> {
  const set = verifyQuorumSet(nodePrimitives, bytesOf(report.made['quorumSet']), {
    org: orgId(filled(0x0a, 32)),
    dealer: alice.verifier,
    previous: null,
    publicKey: null,
  });
  const shares = (report.made['shares'] ?? '').split(' ').map((share) => Secret.own(bytesOf(share)));
  const { secret } = await combineShares(nodePrimitives, set, shares);
  return secret.use(toHex);
}

function bytesOf(hex: string | undefined): Uint8Array {
  const bytes = fromHex(hex ?? 'missing');
  if (bytes === null) throw new Error('the report has no such bytes');
  return bytes;
}
