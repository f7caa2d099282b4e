import { z } from 'zod';
import { bytesOf, count } from './json-fields.ts';
import { LIMITS } from './limits.ts';

const preKey = bytesOf(LIMITS.preKeyBytes);

/** `GET /v1/organisations/:org/pre-keys`: one-time pairs of the session's device that are left; `null` without a bundle in force. */
export const preKeyStockResponse: z.ZodType<{ left: number | null }> = z.object({ left: count.nullable() });

/** `POST` there: what to hand out from now on. `replacesAll`: the pairs that are left are dropped first. */
export const preKeysRequest: z.ZodType<{ bundle: Uint8Array; oneTime: Uint8Array[]; replacesAll: boolean }> =
  z.strictObject({
    bundle: preKey,
    oneTime: z.array(preKey).max(LIMITS.oneTimePreKeys),
    replacesAll: z.boolean(),
  });

/** Its answer says nothing: they are kept. */
export const preKeysResponse: z.ZodType<Record<never, never>> = z.object({});

/** `POST /v1/organisations/:org/pre-keys/:device`: pre-keys to start one session with; the pair is given to nobody else. */
export const preKeyOfferResponse: z.ZodType<{ bundle: Uint8Array; oneTime: Uint8Array | null }> = z.object({
  bundle: preKey,
  oneTime: preKey.nullable(),
});
