import { equalBytes, verifyBytes, type Primitives } from '@keytide/crypto-core';
import { recoveryClaim } from '../claims.ts';
import { DirectoryError } from '../errors.ts';
import { assertHandle } from '../handle.ts';
import { requireSoundPolicy } from '../policy.ts';
import type { DirectoryFacts } from '../state.ts';
import { actingAdminsAfter, type Change } from './change.ts';
import { requireNewMember } from './join.ts';
import { removal } from './member.ts';
import { newcomer, requireFreshKey, type NewDevice } from './new-device.ts';
import { requireFreshPolicyKeys } from './policy.ts';
import { requirePresent, type EntryOf } from './standing.ts';

/**
 * `recovery`: the holders of the recovery key, together, put in a new admin and a new policy, and may remove
 * members with the same stroke. The key is spent by it: whoever recombined it has held it whole.
 * @throws DirectoryError `not-permitted` (the policy names no recovery key), `unknown-member`, `already-member`,
 * `id-reused`, `bad-handle`, `too-few-admins`; CryptoError `bad-signature`, `bad-key`
 */
export function recoveryRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'recovery'>,
  newDevice: NewDevice,
): Change {
  const { body } = entry;
  const { recoveryKey } = facts.policy;
  if (recoveryKey === undefined)
    throw new DirectoryError('not-permitted', 'the policy names no recovery key');
  const claim = recoveryClaim({ ...body, org: facts.org, previousHash: facts.headHash });
  const verifier = primitives.verifier(recoveryKey);
  verifyBytes(primitives, verifier, 'recoverySignature', claim, body.recoverySignature);
  if (body.policy.recoveryKey !== undefined && equalBytes(body.policy.recoveryKey, recoveryKey))
    throw new DirectoryError('id-reused', 'a recovery key works once: the new policy must name another');
  requireNewMember(facts.members.get(body.member));
  requireFreshKey(primitives, facts, newDevice.verifier.publicKey);
  requireFreshPolicyKeys(primitives, facts, body.policy);
  assertHandle(body.handle);

  const { members, devices } = newcomer(entry, newDevice, 'admin');
  const removed = body.removed.map((id) => removal(facts, requirePresent(facts, id), entry.index));
  const change: Change = {
    policy: body.policy,
    members: [...members, ...removed.flatMap((gone) => gone.members)],
    devices: [...devices, ...removed.flatMap((gone) => gone.devices)],
  };
  requireSoundPolicy(primitives, body.policy, actingAdminsAfter(facts, change).length);
  return change;
}
