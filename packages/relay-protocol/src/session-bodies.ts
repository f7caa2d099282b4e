import { z } from 'zod';
import { count, hex32 } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** What a login and a refresh give: `docs/spec/sessions.md`, "Tokens". */
export interface SessionBody {
  /** Whoever has it is the subject until `expiresAtMs`. */
  token: string;
  expiresAtMs: number;
  /** Good once, before `endsAtMs`, for another pair; `undefined` from a relay that gives none. */
  refreshToken?: string | undefined;
  endsAtMs?: number | undefined;
}

const token = z.string().min(1).max(LIMITS.tokenCharacters);

/** Answer of `POST /v1/organisations/:org/sessions` and of `…/sessions/refresh`. */
export const sessionResponse: z.ZodType<SessionBody> = z.object({
  token,
  expiresAtMs: count,
  refreshToken: token.optional(),
  endsAtMs: count.optional(),
});

/** `POST /v1/organisations/:org/sessions/refresh`: trades a refresh token for another pair. */
export const refreshRequest: z.ZodType<{ refreshToken: string }> = z.strictObject({ refreshToken: token });

/** Which sessions to end: the one that asks, the others of its member, or all of one device. */
export type SessionsNamed =
  | { which: 'this' }
  | { which: 'others' }
  /** 32 bytes as hex: a device of one's own member, or, for an admin, any of the organisation. */
  | { which: 'device'; device: string };

/** `POST /v1/organisations/:org/sessions/end`, answered by `doneResponse` once nothing more reaches them. */
export const endSessionsRequest: z.ZodType<SessionsNamed> = z.discriminatedUnion('which', [
  z.strictObject({ which: z.literal('this') }),
  z.strictObject({ which: z.literal('others') }),
  z.strictObject({ which: z.literal('device'), device: hex32 }),
]);
