import { expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import type { SuiteReport } from './checks.ts';
import { runInHermes } from './hermes.ts';
import { reportProblems } from './report-problems.ts';
import { readSuiteInput } from './suite-input.ts';

test('the portable suite in the Hermes VM, without TextEncoder, WebCrypto, WebAssembly and Node', async () => {
  const script = await bundle(new URL('./hermes-entry.ts', import.meta.url), 'iife');
  const printed = await runInHermes(script, { name: 'suiteInput', value: readSuiteInput() });
  expect(printed).toMatch(/^\{"present"/);
  const { present, report } = JSON.parse(printed) as { present: string[]; report: SuiteReport };
  expect(present).toEqual([]);
  expect(await reportProblems(report, 'portable')).toEqual([]);
});
