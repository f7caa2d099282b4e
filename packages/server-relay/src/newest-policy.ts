import type { OrgId } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory/verify';
import type { NodeStore } from './node-store.ts';
import type { Organisations } from './organisations.ts';

/** What `newestPolicyOf` works with. */
interface NewestPolicyOptions {
  readonly store: Pick<NodeStore, 'readOrgHeads'>;
  readonly organisations: Pick<Organisations, 'find'>;
}

/**
 * The policy of an organisation as the database has it; `null` for one that is not here. What is deleted by a policy is
 * gone, and another node may have heard of one that keeps more.
 */
export function newestPolicyOf({
  store,
  organisations,
}: NewestPolicyOptions): (org: OrgId) => Promise<Policy | null> {
  return async (org) => {
    const heads = await store.readOrgHeads([org]);
    return (await organisations.find(org, heads.get(org)?.logSize))?.state.policy ?? null;
  };
}
