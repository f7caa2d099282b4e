import { z } from 'zod';
import { idToken } from './enrolment.ts';
import { bytesOf, count, exactBytes, hex32, place } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/**
 * Who logs in: a device of the organisation, the holder of an invite, or whoever recombined the recovery key. `id` is
 * 32 bytes as hex; for the recovery key it is the public key itself.
 */
export interface Subject {
  readonly kind: 'device' | 'invite' | 'recovery';
  readonly id: string;
}

const subject: z.ZodType<Subject> = z.strictObject({
  kind: z.enum(['device', 'invite', 'recovery']),
  id: hex32,
});

/** `GET /v1/health`. `name` is the origin that logins are bound to, `key` the relay's Ed25519 public key (32 bytes). */
export const healthResponse: z.ZodType<{ status: 'ok'; version: string; name: string; key: Uint8Array }> =
  z.object({ status: z.literal('ok'), version: z.string(), name: z.string(), key: exactBytes(32) });

/** `POST /v1/organisations`: the wire of the genesis entry, and an ID token where the relay asks for one. */
export const organisationRequest: z.ZodType<{ entry: Uint8Array; idToken?: string }> = z.strictObject({
  entry: bytesOf(LIMITS.entryBytes),
  idToken: idToken.exactOptional(),
});

/** Its answer: the organisation's id, 32 bytes as hex. */
export const organisationResponse: z.ZodType<{ org: string }> = z.object({ org: hex32 });

/** `POST /v1/organisations/:org/challenges`. */
export const challengeRequest: z.ZodType<{ subject: Subject }> = z.strictObject({ subject });

/** Its answer: 32 bytes to sign, once, before `expiresAtMs`. */
export const challengeResponse: z.ZodType<{ challenge: Uint8Array; expiresAtMs: number }> = z.object({
  challenge: exactBytes(32),
  expiresAtMs: count,
});

/**
 * `POST /v1/organisations/:org/sessions`: the challenge met by a 64-byte signature over `loginBytes`; for an invite also
 * an ID token where the relay asks for one.
 */
export const sessionRequest: z.ZodType<{
  subject: Subject;
  challenge: Uint8Array;
  signature: Uint8Array;
  idToken?: string;
}> = z.strictObject({
  subject,
  challenge: exactBytes(32),
  signature: exactBytes(64),
  idToken: idToken.exactOptional(),
});

/** Query of `GET /v1/organisations/:org/log`: the index of the first entry wanted, and how many at most; left out: a page. */
export const logQuery: z.ZodType<{ from: number; count?: number }> = z.strictObject({
  from: place,
  count: place.pipe(z.int().min(1).max(LIMITS.logPageEntries)).exactOptional(),
});

/** Its answer: a page of entry wires from `from` on; the log has `size` entries in all. */
export const logResponse: z.ZodType<{ entries: Uint8Array[]; size: number }> = z.object({
  entries: z.array(bytesOf(LIMITS.entryBytes)).max(LIMITS.logPageEntries),
  size: count,
});

/** `POST /v1/organisations/:org/log`: the wire of one entry. */
export const logAppendRequest: z.ZodType<{ entry: Uint8Array }> = z.strictObject({
  entry: bytesOf(LIMITS.entryBytes),
});

/** Its answer: where the entry stands. */
export const logAppendResponse: z.ZodType<{ index: number }> = z.object({ index: count });

/** `GET /v1/organisations/:org/groups/:group/boxes/:epoch`: the box of the session's device. */
export const boxResponse: z.ZodType<{ box: Uint8Array }> = z.object({ box: bytesOf(LIMITS.boxBytes) });

/** Where a group's log begins of which days are forgotten (docs/spec/floor.md). */
export interface FloorBody {
  /** The first seq that the log has, above 1. */
  firstSeq: number;
  /** The newest epoch statement before it. */
  statement: Uint8Array;
  /** The frontier of the log's tree before it: 32 bytes a hash, the largest subtree first. */
  frontier: Uint8Array;
}

/** `GET /v1/organisations/:org/groups/:group/floor`. */
export const floorResponse: z.ZodType<FloorBody> = z.object({
  firstSeq: z.int().min(2),
  statement: bytesOf(LIMITS.statementBytes),
  frontier: bytesOf(53 * 32),
});

/** Every answer with a status of 400 or more. */
export const errorResponse: z.ZodType<ErrorBody> = z.object({
  code: z.string().max(64),
  message: z.string(),
  size: count.optional(),
  reason: z.string().max(64).optional(),
});

/** `code` is a `RefusalCode` or a newer one; `size` comes with `head-moved`, `reason` with `entry-refused` and `record-refused`. */
export interface ErrorBody {
  code: string;
  message: string;
  size?: number | undefined;
  reason?: string | undefined;
}
