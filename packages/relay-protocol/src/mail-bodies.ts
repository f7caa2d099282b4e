import { z } from 'zod';
import { bytesOf, count, exactBytes, hex32, place } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/**
 * `POST /v1/organisations/:org/mail`: a pairwise message to one device. `id`, 16 bytes of the sender's choice, makes
 * it repeatable.
 */
export const mailRequest: z.ZodType<{ recipient: string; id: Uint8Array; message: Uint8Array }> =
  z.strictObject({ recipient: hex32, id: exactBytes(16), message: bytesOf(LIMITS.mailBytes) });

/** Its answer says nothing: the message is kept. */
export const mailResponse: z.ZodType<Record<never, never>> = z.object({});

/** Query of `GET /v1/organisations/:org/mail`: the seq after which to read; 0 for all. */
export const mailQuery: z.ZodType<{ after: number }> = z.strictObject({ after: place });

/** Its answer: messages to the session's device in the order of their seqs; the relay names the senders. */
export const mailPageResponse: z.ZodType<MailPageBody> = z.object({
  messages: z
    .array(z.strictObject({ seq: count, sender: hex32, message: bytesOf(LIMITS.mailBytes) }))
    .max(LIMITS.mailPage),
  more: z.boolean(),
});

/** Messages to one device, as the relay tells them. */
export interface MailPageBody {
  messages: { seq: number; sender: string; message: Uint8Array }[];
  more: boolean;
}

/** `POST /v1/organisations/:org/mail/confirm`: what the session's device has durably taken in, or never will. */
export const mailConfirmRequest: z.ZodType<{ seqs: number[] }> = z.strictObject({
  seqs: z.array(count).min(1).max(LIMITS.mailPage),
});

/** Its answer says nothing: those messages are forgotten. */
export const mailConfirmResponse: z.ZodType<Record<never, never>> = z.object({});
