import { z } from 'zod';

/** What an organisation decided at its genesis; docs/spec/membership-log.md. */
export interface Policy {
  /** How long a block lasts: after it, a new epoch. */
  readonly blockSeconds: number;
  /** X: how long devices of members who are not admins keep block keys. At least one block. */
  readonly retentionSeconds: number;
  /** Y: how long the relay keeps ciphertext for export. At least X. */
  readonly exportSeconds: number;
}

/** A hundred years: more is a unit mistaken for another. */
const MAX_SECONDS = 3_155_760_000;

const seconds = z.int().min(1).max(MAX_SECONDS);

/** The policy map of a genesis entry: these three keys and no others. */
export const policySchema: z.ZodType<Policy> = z
  .strictObject({ blockSeconds: seconds, retentionSeconds: seconds, exportSeconds: seconds })
  .refine((policy) => policy.blockSeconds <= policy.retentionSeconds)
  .refine((policy) => policy.retentionSeconds <= policy.exportSeconds);
