import { keyStoreChecks, type KeyStoreUnderTest } from '@keytide/testkit/key-store';

/** How the key store suite went where no test runner is. */
export interface VaultReport {
  readonly passed: readonly string[];
  /** Name and reason of each check that did not hold. */
  readonly failed: readonly string[];
}

/** Runs every check on a place of its own. */
export async function runKeyStoreChecks(start: () => KeyStoreUnderTest): Promise<VaultReport> {
  const passed: string[] = [];
  const failed: string[] = [];
  for (const { name, check } of keyStoreChecks)
    try {
      await check(start());
      passed.push(name);
    } catch (error) {
      failed.push(`${name}: ${String(error)}`);
    }
  return { passed, failed };
}
