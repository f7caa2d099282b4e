import { keyStoreChecks } from '@keytide/testkit/key-store';
import { expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import { runInHermes } from './hermes.ts';

test('the key store of a phone in the Hermes VM', async () => {
  const script = await bundle(new URL('./vault-hermes-entry.ts', import.meta.url), 'iife');
  const report = JSON.parse(await runInHermes(script, { name: 'unused', value: null }));
  expect(report.failed).toEqual([]);
  expect(report.passed).toEqual(keyStoreChecks.map(({ name }) => name));
});
