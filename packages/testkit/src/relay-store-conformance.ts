import { accessChecks } from './relay-store-access.ts';
import { appendChecks } from './relay-store-appends.ts';
import type { StoreCheck, StoreUnderTest } from './relay-store-check.ts';
import { blobChecks } from './relay-store-blobs.ts';
import { dataChecks } from './relay-store-data.ts';
import { dayChecks } from './relay-store-days.ts';
import { directoryChecks } from './relay-store-directory.ts';
import { epochChecks } from './relay-store-epochs.ts';
import { logChecks } from './relay-store-log.ts';
import { loginChecks } from './relay-store-logins.ts';
import { mailChecks } from './relay-store-mail.ts';
import { nodeChecks } from './relay-store-nodes.ts';
import { preKeyChecks } from './relay-store-pre-keys.ts';
import { pushChecks } from './relay-store-push.ts';
import { sealingRecordChecks } from './relay-store-sealing.ts';
import { sessionChecks } from './relay-store-sessions.ts';
import { wipeChecks } from './relay-store-wipe.ts';
import type { TestRunner } from './test-runner.ts';

const CHECKS: readonly StoreCheck[] = [
  ...logChecks,
  ...directoryChecks,
  ...sealingRecordChecks,
  ...dataChecks,
  ...blobChecks,
  ...mailChecks,
  ...preKeyChecks,
  ...pushChecks,
  ...epochChecks,
  ...appendChecks,
  ...dayChecks,
  ...wipeChecks,
  ...loginChecks,
  ...sessionChecks,
  ...accessChecks,
  ...nodeChecks,
];

/**
 * What every `RelayStore` owes, whatever it is made of. The checks share the store that `makeStore` makes;
 * the last one closes it.
 */
export function relayStoreConformance(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  { describe, it }: TestRunner,
): void {
  describe(`RelayStore: ${name}`, () => {
    let making: Promise<StoreUnderTest> | null = null;
    const current = (): Promise<StoreUnderTest> => (making ??= makeStore());
    for (const { name: title, check } of CHECKS) {
      it(title, async () => {
        const under = await current();
        const store = await check(under);
        if (store) making = Promise.resolve({ ...under, store });
      });
    }
    it('closes', async () => {
      const { store } = await current();
      await store.close();
    });
  });
}
