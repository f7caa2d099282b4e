import { equalBytes, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { assertHandle } from '../handle.ts';
import { requireSoundPolicy } from '../policy.ts';
import type { Change } from './change.ts';
import { newcomer, type NewDevice } from './new-device.ts';
import type { EntryOf } from './standing.ts';

/**
 * `genesis`: the first member is an admin, the first device theirs.
 * @throws DirectoryError `bad-handle`, `too-few-admins`, `id-reused`; CryptoError `bad-key`
 */
export function genesisRule(primitives: Primitives, entry: EntryOf<'genesis'>, newDevice: NewDevice): Change {
  const { handle, policy } = entry.body;
  assertHandle(handle);
  requireSoundPolicy(primitives, policy, 1);
  const { publicKey } = newDevice.verifier;
  for (const key of [policy.recoveryKey, policy.relayKey]) {
    if (key !== undefined && equalBytes(key, publicKey))
      throw new DirectoryError('id-reused', 'the policy names the key of the device');
  }
  return { policy, ...newcomer(entry, newDevice, 'admin') };
}
