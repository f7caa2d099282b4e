import { z } from 'zod';
import { bytesOf, count, exactBytes, hex32 } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** `POST /v1/organisations/:org/wipe-receipts`: the signed receipt of the session's device (docs/spec/wipe.md). */
export const wipeReceiptRequest: z.ZodType<{ receipt: Uint8Array }> = z.strictObject({
  receipt: bytesOf(LIMITS.wipeReceiptBytes),
});

/** Its answer: the index of the order that was carried out. */
export const wipeReceiptResponse: z.ZodType<{ order: number }> = z.object({ order: count });

/** Query of `GET /v1/organisations/:org/wipe-receipts`: the device after which the page begins; left out: the first. */
export const wipeReceiptsQuery: z.ZodType<{ after?: string }> = z.strictObject({
  after: hex32.exactOptional(),
});

/** Its answer: a page of receipts as they travelled, by device, not verified; `next`: where the next page begins. */
export const wipeReceiptsResponse: z.ZodType<{ receipts: Uint8Array[]; next: string | null }> = z.object({
  receipts: z.array(bytesOf(LIMITS.wipeReceiptBytes)).max(LIMITS.wipeReceiptPage),
  next: hex32.nullable(),
});

/** `POST /v1/organisations/:org/unlock-share`: a device's unlock share and what it takes to get it (docs/spec/unlock-lease.md). */
export const unlockShareRequest: z.ZodType<{ id: Uint8Array; share: Uint8Array; verifier: Uint8Array }> =
  z.strictObject({ id: exactBytes(32), share: exactBytes(32), verifier: exactBytes(32) });

/** `POST /v1/organisations/:org/unlock-share/renew`, within a session of the share's device. */
export const unlockRenewRequest: z.ZodType<{ id: Uint8Array }> = z.strictObject({ id: exactBytes(32) });

/** The answer to both: until when the share is kept if nothing is heard, and how many attempts at it were wrong. */
export const unlockLeaseResponse: z.ZodType<{ expiresAtMs: number; wrongAttempts: number }> = z.object({
  expiresAtMs: count,
  wrongAttempts: count,
});

/** `GET /v1/organisations/:org/unlock-share/attempts`, for admins: the devices with wrong attempts at their shares, those with the most first. */
export const unlockAttemptsResponse: z.ZodType<{ devices: { device: string; wrongAttempts: number }[] }> =
  z.object({
    devices: z.array(z.object({ device: hex32, wrongAttempts: count })).max(LIMITS.unlockAttemptsPage),
  });

/** `POST /v1/organisations/:org/unlock-share/fetch`, without a session. */
export const unlockFetchRequest: z.ZodType<{ id: Uint8Array; proof: Uint8Array }> = z.strictObject({
  id: exactBytes(32),
  proof: exactBytes(32),
});

/** Its answer: the share, 32 bytes. */
export const unlockFetchResponse: z.ZodType<{ share: Uint8Array }> = z.object({ share: exactBytes(32) });

/** `POST /v1/organisations/:org/unlock-share/delete`: the vault does without. Answer of a share that is gone, or never was. */
export const unlockDeleteResponse: z.ZodType<{ deleted: boolean }> = z.object({ deleted: z.boolean() });
