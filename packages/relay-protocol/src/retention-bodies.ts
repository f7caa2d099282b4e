import { z } from 'zod';
import { bytesOf, count, hex32 } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** What is due to be forgotten, or soon will be (docs/spec/release.md). */
export interface RetentionBody {
  /** Whether the policy lets go what nobody has exported. */
  waived: boolean;
  /** Of each group, a day at most, oldest first. */
  due: {
    group: string;
    firstSeq: number;
    lastSeq: number;
    /** When the relay forgets it; later where it has to be exported first. */
    dueAtMs: number;
    isExported: boolean;
  }[];
  /** The newest of what the relay says to have forgotten, signed, the newest first; not verified. */
  deleted: Uint8Array[];
  /** What devices have signed that they have exported: the newest of each, and by which `deleted` went; not verified. */
  exported: Uint8Array[];
  /** Whole attachments that are past Y, and kept because nobody has exported what may name them; a relay of before says nothing. */
  attachmentsHeld?: { count: number; sizeBytes: number } | undefined;
}

/** `GET /v1/organisations/:org/retention`, for admins and exporters. */
export const retentionResponse: z.ZodType<RetentionBody> = z.object({
  waived: z.boolean(),
  due: z
    .array(
      z.object({ group: hex32, firstSeq: count, lastSeq: count, dueAtMs: count, isExported: z.boolean() }),
    )
    .max(LIMITS.retentionDays),
  deleted: z.array(bytesOf(LIMITS.exportStatementBytes)).max(LIMITS.deletions),
  exported: z.array(bytesOf(LIMITS.exportStatementBytes)).max(2 * LIMITS.deletions),
  attachmentsHeld: z.object({ count, sizeBytes: count }).optional(),
});

/** `POST /v1/organisations/:org/exports`: the signed statement of the session's device. */
export const exportRequest: z.ZodType<{ statement: Uint8Array }> = z.strictObject({
  statement: bytesOf(LIMITS.exportStatementBytes),
});

/** Its answer: up to where the log counts as exported by this device. */
export const exportResponse: z.ZodType<{ throughSeq: number }> = z.object({ throughSeq: count });
