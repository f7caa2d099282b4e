import { z } from 'zod';
import { bytesOf, count, hex32, noteOf, place } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** `POST /v1/organisations/:org/log/cosignatures`: a checkpoint of the relay with the device's cosignature, as a signed note. */
export const cosignatureRequest: z.ZodType<{ note: Uint8Array }> = z.strictObject({
  note: noteOf(LIMITS.cosignedNoteBytes),
});

/** Its answer: the size of the log in the checkpoint. */
export const cosignatureResponse: z.ZodType<{ size: number }> = z.object({ size: count });

/** Query of a checkpoint or a lookup: how many entries the log had; left out: the newest. */
export const checkpointQuery: z.ZodType<{ size?: number }> = z.strictObject({ size: place.exactOptional() });

/**
 * `GET /v1/organisations/:org/log/cosignatures`: signed notes, the newest first: of each device that has cosigned,
 * the newest checkpoint it did. Not verified.
 */
export const cosignedResponse: z.ZodType<{ notes: Uint8Array[] }> = z.object({
  notes: z.array(noteOf(LIMITS.noteBytes)).max(LIMITS.cosignedNotes),
});

/**
 * `GET /v1/organisations/:org/directory/members/:id`, `…/devices/:id` and `…/organisation`: a checkpoint, a signed
 * note, and the proof of what the map under its root holds for the id. Nothing in it is true until
 * `verifyNote` and `verifyLookup` of key-directory say so.
 */
export const lookupResponse: z.ZodType<{ checkpoint: Uint8Array; lookup: Uint8Array }> = z.object({
  checkpoint: noteOf(LIMITS.noteBytes),
  lookup: bytesOf(LIMITS.lookupBytes),
});

/** `POST /v1/organisations/:org/sealing-records`: the next signed sealing record of the session's device. */
export const sealingRecordRequest: z.ZodType<{ record: Uint8Array }> = z.strictObject({
  record: bytesOf(LIMITS.sealingRecordBytes),
});

/** Its answer: where the record stands among those of the organisation. */
export const sealingRecordResponse: z.ZodType<{ seq: number }> = z.object({ seq: count });

/** Query of `GET /v1/organisations/:org/sealing-records`: the seq of the newest record that is known; 0 for none. */
export const sealingRecordsQuery: z.ZodType<{ after: number }> = z.strictObject({ after: place });

/** Its answer: records in the order in which they came; `next` is what to ask after, `more` whether that yields more now. */
export const sealingRecordsResponse: z.ZodType<SealingRecordsBody> = z.object({
  records: z
    .array(z.strictObject({ device: hex32, record: bytesOf(LIMITS.sealingRecordBytes) }))
    .max(LIMITS.sealingPageRecords),
  next: count,
  more: z.boolean(),
});

/** A page of sealing records; `device` is 32 bytes as hex. Not verified. */
export interface SealingRecordsBody {
  records: { device: string; record: Uint8Array }[];
  next: number;
  more: boolean;
}
