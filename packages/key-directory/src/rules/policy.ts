import { encodeCbor, equalBytes, type Primitives } from '@keytide/crypto-core';
import { policyMap } from '../body-codec.ts';
import { DirectoryError } from '../errors.ts';
import { requireSoundPolicy, type Policy } from '../policy.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import { requireFreshKey } from './new-device.ts';
import { requireAdmin, type Author, type EntryOf } from './standing.ts';

/**
 * `policy`: another policy in the place of this one, from the next entry on.
 * @throws DirectoryError `not-permitted`, `unchanged`, `too-few-admins`, `id-reused`; CryptoError `bad-key`
 */
export function policyRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'policy'>,
  author: Author,
): Change {
  const { policy } = entry.body;
  requireAdmin(author);
  if (equalBytes(encodeCbor(policyMap(policy)), encodeCbor(policyMap(facts.policy))))
    throw new DirectoryError('unchanged', 'this is the policy already');
  requireSoundPolicy(primitives, policy, facts.actingAdmins.length);
  requireFreshPolicyKeys(primitives, facts, policy);
  return { policy };
}

/** Checks that keys which a policy newly names have had no other use. @throws DirectoryError `id-reused` */
export function requireFreshPolicyKeys(primitives: Primitives, facts: DirectoryFacts, policy: Policy): void {
  for (const name of ['recoveryKey', 'relayKey'] as const) {
    const key = policy[name];
    const before = facts.policy[name];
    if (key === undefined || (before !== undefined && equalBytes(key, before))) continue;
    requireFreshKey(primitives, facts, key);
  }
}
