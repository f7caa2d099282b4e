import { z } from 'zod';
import { exactBytes } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** A way to reach a device that is not connected. */
export type PushKind = 'web-push' | 'expo' | 'webhook';

const pushKind: z.ZodType<PushKind> = z.enum(['web-push', 'expo', 'webhook']);

/**
 * `PUT /v1/organisations/:org/push`: how the session's device is told. `target`: the endpoint of a Web Push
 * subscription, an Expo push token, or what the operator's webhook knows the device by.
 */
export const pushRequest: z.ZodType<{ kind: PushKind; target: string }> = z.strictObject({
  kind: pushKind,
  target: z
    .string()
    .min(1)
    .max(LIMITS.pushTargetBytes)
    .regex(/^[\x21-\x7e]*$/),
});

/** `GET /v1/organisations/:org/push`: the ways that this relay has, and the key that browsers subscribe with. */
export const pushOfferResponse: z.ZodType<{ kinds: string[]; vapidKey: Uint8Array | null }> = z.object({
  kinds: z.array(z.string()),
  vapidKey: exactBytes(65).nullable(),
});
