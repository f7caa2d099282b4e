import { memberId, type MemberId, type Primitives, type Random } from '@keytide/crypto-core';
import { assertAdmissible } from '../admission.ts';
import { parseEntry } from '../entry.ts';
import { judge } from '../judge.ts';
import type { Policy } from '../policy.ts';
import { publishKeys, type OwnDevice } from './device-keys.ts';
import { signEntry } from './sign-entry.ts';

/** What a new organisation starts with. */
export interface GenesisInput {
  readonly primitives: Primitives;
  readonly random: Random;
  /** The first device; its member becomes admin. */
  readonly device: OwnDevice;
  readonly handle: string;
  readonly policy: Policy;
  readonly nowMs: number;
}

/**
 * Founds an organisation: the wire of entry 0. Its state, and so its id, come from `applyEntry`.
 * @throws DirectoryError `bad-handle`, `bad-sealing-record`, `malformed` (the policy)
 */
export function createGenesis(input: GenesisInput): Uint8Array {
  const { primitives, random, device, nowMs } = input;
  const wire = signEntry(primitives, device.signer, {
    org: null,
    index: 0,
    previousHash: null,
    timeMs: nowMs,
    body: {
      kind: 'genesis',
      random: random(32),
      policy: input.policy,
      member: newMemberId(random),
      handle: input.handle,
      ...publishKeys(primitives, device),
    },
  });
  const entry = parseEntry(primitives, wire);
  assertAdmissible(null, entry, nowMs);
  judge(primitives, null, entry);
  return wire;
}

/** A fresh id for a person: 16 random bytes. */
export function newMemberId(random: Random): MemberId {
  return memberId(random(16));
}
