import { z } from 'zod';
import { bytesOf, hex32 } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** `POST /v1/organisations/:org/access/requests`: the session's device asks for epoch keys. */
export const accessRequestRequest: z.ZodType<{ request: Uint8Array }> = z.strictObject({
  request: bytesOf(LIMITS.accessRequestBytes),
});

/** Its answer: the request's hash, 32 bytes as hex. */
export const accessRequestResponse: z.ZodType<{ id: string }> = z.object({ id: hex32 });

/** Query of `GET /v1/organisations/:org/access/requests`: the id after which the page starts; left out: the first page. */
export const accessRequestsQuery: z.ZodType<{ after?: string }> = z.strictObject({
  after: hex32.exactOptional(),
});

/** Its answer, for admins: signed requests, not verified; `next` is what to ask after, `null` for nothing more. */
export const accessRequestsResponse: z.ZodType<{ requests: Uint8Array[]; next: string | null }> = z.object({
  requests: z.array(bytesOf(LIMITS.accessRequestBytes)).max(LIMITS.accessPageRequests),
  next: hex32.nullable(),
});

/** `POST /v1/organisations/:org/access/requests/:id/answers`: an admin's device grants or refuses. */
export const accessAnswerRequest: z.ZodType<{ answer: Uint8Array }> = z.strictObject({
  answer: bytesOf(LIMITS.accessAnswerBytes),
});

/** `GET /v1/organisations/:org/access/requests/:id/answers`, for the device that asked: signed answers, not verified. */
export const accessAnswersResponse: z.ZodType<{ answers: Uint8Array[] }> = z.object({
  answers: z.array(bytesOf(LIMITS.accessAnswerBytes)).max(LIMITS.accessAnswers),
});

/** The answer to a call that has nothing to tell but that it is done. */
export const doneResponse: z.ZodType<Record<string, never>> = z.object({});
