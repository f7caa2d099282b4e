import { basicChecks } from './key-store-basics.ts';
import type { KeyStoreCheck, KeyStoreUnderTest } from './key-store-check.ts';
import { keepingChecks } from './key-store-keeping.ts';
import type { TestRunner } from './test-runner.ts';

/** What every `KeyStore` owes, one by one: for runtimes that have no test runner. */
export const keyStoreChecks: readonly KeyStoreCheck[] = [...basicChecks, ...keepingChecks];

/** What every `KeyStore` owes. Each check starts with a place of its own. */
export function keyStoreConformance(
  name: string,
  start: () => Promise<KeyStoreUnderTest>,
  { describe, it }: TestRunner,
): void {
  describe(`KeyStore: ${name}`, () => {
    for (const { name: title, check } of keyStoreChecks) it(title, async () => check(await start()));
  });
}
