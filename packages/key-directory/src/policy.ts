import type { Primitives } from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError } from './errors.ts';

/**
 * What several admins must agree to, where the policy says so. `administration` is what could make or unmake
 * an approver: a change of policy, and of who is an admin. `wipe` is judged here, and `export` for anonymous numbers;
 * for archives, `export` and `recovery` are not of the log.
 */
export type ApprovalAct = 'administration' | 'wipe' | 'export' | 'recovery';

/** What an organisation decided, at its genesis or since; docs/spec/membership-log.md. */
export interface Policy {
  /** How long a block lasts: after it, a new epoch. */
  readonly blockSeconds: number;
  /** X: how long devices of members who are not admins keep block keys. At least one block. */
  readonly retentionSeconds: number;
  /** Y: how long the relay keeps ciphertext for export. At least X. */
  readonly exportSeconds: number;
  /** How long a device unlocks without hearing from the relay. Left out: no lease, it always unlocks. */
  readonly leaseSeconds?: number;
  /** How long after its newest sealing key has ended a silent device still receives keys. Left out: one block. */
  readonly silenceSeconds?: number;
  /** What was not exported may go at Y as well. Left out: the relay keeps it until a device says that it has exported it. */
  readonly exportWaived?: true;
  /** How many admins an act takes, its author included; 1 where left out. */
  readonly approvals?: { readonly [act in ApprovalAct]?: number };
  /** X-Wing, 1216 bytes: every epoch key is sealed to it too. Left out: no archive. */
  readonly archiveKey?: Uint8Array;
  /** Ed25519, 32 bytes: the key that a quorum recombines to put a new admin in. Left out: no recovery. */
  readonly recoveryKey?: Uint8Array;
  /** Ed25519, 32 bytes: the key with which the relay signs checkpoints and deletion receipts. */
  readonly relayKey?: Uint8Array;
  /** How many admin devices must have cosigned a checkpoint, and how lately. Left out: none. */
  readonly witnesses?: { readonly needed: number; readonly maxAgeSeconds: number };
  /**
   * What the noise of published aggregates may cost: of each dataset, so many thousandths for the periods that begin in
   * one stretch of `periodSeconds`, counted from 1970. Left out: nothing is published with noise.
   */
  readonly privacyBudget?: { readonly epsilonMilli: number; readonly periodSeconds: number };
}

/** A hundred years: more is a unit mistaken for another. */
const MAX_SECONDS = 3_155_760_000;
const MAX_APPROVALS = 16;

const seconds = z.int().min(1).max(MAX_SECONDS);
const admins = z.int().min(2).max(MAX_APPROVALS);
const key = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);

/** The policy map of an entry: the three times, any of the others, and nothing else. */
export const policySchema: z.ZodType<Policy> = z
  .strictObject({
    blockSeconds: seconds,
    retentionSeconds: seconds,
    exportSeconds: seconds,
    leaseSeconds: seconds.exactOptional(),
    silenceSeconds: seconds.exactOptional(),
    exportWaived: z.literal(true).exactOptional(),
    approvals: z
      .strictObject({
        administration: admins.exactOptional(),
        wipe: admins.exactOptional(),
        export: admins.exactOptional(),
        recovery: admins.exactOptional(),
      })
      .refine((given) => Object.keys(given).length > 0)
      .exactOptional(),
    archiveKey: key(1216).exactOptional(),
    recoveryKey: key(32).exactOptional(),
    relayKey: key(32).exactOptional(),
    witnesses: z
      .strictObject({ needed: z.int().min(1).max(MAX_APPROVALS), maxAgeSeconds: seconds })
      .exactOptional(),
    privacyBudget: z
      .strictObject({ epsilonMilli: z.int().min(1).max(1e9), periodSeconds: seconds })
      .exactOptional(),
  })
  .refine((policy) => policy.blockSeconds <= policy.retentionSeconds)
  .refine((policy) => policy.retentionSeconds <= policy.exportSeconds);

/**
 * How many admins an act takes, its author included. Administration takes at least as many as anything else:
 * whoever could name approvers, or lower a number, alone could do alone whatever needs approval.
 */
export function adminsNeeded(policy: Policy, act: ApprovalAct): number {
  const { approvals = {} } = policy;
  if (act !== 'administration') return approvals[act] ?? 1;
  return Math.max(1, ...Object.values(approvals));
}

/**
 * Checks what the bytes of a policy cannot show: that its keys can be used, and that the approvals it asks for
 * could be given by the admins there are.
 * @throws DirectoryError `too-few-admins`; CryptoError `bad-key`
 */
export function requireSoundPolicy(primitives: Primitives, policy: Policy, actingAdmins: number): void {
  const { archiveKey, recoveryKey, relayKey } = policy;
  if (archiveKey !== undefined) primitives.encapsulator(archiveKey);
  if (recoveryKey !== undefined) primitives.verifier(recoveryKey);
  if (relayKey !== undefined) primitives.verifier(relayKey);
  if (adminsNeeded(policy, 'administration') > actingAdmins)
    throw new DirectoryError('too-few-admins', 'the policy asks for more admins than there are');
}
