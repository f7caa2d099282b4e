import {
  signBytes,
  sorted,
  type MemberId,
  type Primitives,
  type Random,
  type Secret,
} from '@keytide/crypto-core';
import { recoveryClaim } from '../claims.ts';
import type { Policy } from '../policy.ts';
import type { DirectoryState } from '../state.ts';
import { publishKeys, type OwnDevice } from './device-keys.ts';
import { newMemberId } from './genesis.ts';
import { writeEntry } from './sign-entry.ts';

/** What it takes to bring an organisation back whose admins are lost. */
export interface RecoveryInput {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly state: DirectoryState;
  /** The recovery key's seed, 32 bytes, as the quorum recombined it. */
  readonly seed: Secret;
  /** The device of the new admin. */
  readonly device: OwnDevice;
  readonly handle: string;
  /** Left out: a fresh one. */
  readonly member?: MemberId;
  /** What holds from now on. Must not name the recovery key that is used here. */
  readonly policy: Policy;
  /** Members who go at the same time: left out, none. */
  readonly removed?: readonly MemberId[];
  readonly nowMs: number;
}

/**
 * Brings an organisation back: the wire of an entry that continues `state`.
 * @throws DirectoryError `not-permitted`, `bad-signature` (another key than the policy's), `unknown-member`,
 * `already-member`, `id-reused`, `bad-handle`, `bad-sealing-record`, `too-few-admins`, `malformed`
 */
export function createRecovery(input: RecoveryInput): Uint8Array {
  const { primitives, random, state, device, handle, policy, nowMs } = input;
  const recoveryKey = input.seed.use((seed) => primitives.signer(seed));
  const member = input.member ?? newMemberId(random);
  const removed = sorted(input.removed ?? [], (a, b) => (a < b ? -1 : 1));
  const keys = publishKeys(primitives, device);
  const claim = { org: state.org, previousHash: state.headHash, member, handle, ...keys, policy, removed };
  return writeEntry(
    { primitives, state, signer: device.signer, nowMs },
    {
      kind: 'recovery',
      member,
      handle,
      ...keys,
      policy,
      removed,
      recoverySignature: signBytes(primitives, recoveryKey, 'recoverySignature', recoveryClaim(claim)),
    },
  );
}
