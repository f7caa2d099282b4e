import { z } from 'zod';
import { bytesOf, count, place } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** Who may write the documents of a collection. It is part of the collection's name: two collections never share one. */
export type Writers = 'members' | 'admins';

/** `Writers`, in a path. */
export const writers: z.ZodType<Writers> = z.enum(['members', 'admins']);

/** The name of a collection, as an application declares it. */
export const collectionName: z.ZodType<string> = z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}$/);

/** The id of a document, chosen by who first wrote it: 1 to 64 letters, digits, `.`, `_` or `-`, no sign first. */
export const documentId: z.ZodType<string> = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/**
 * `PUT /v1/organisations/:org/data/:writers/:collection/:id`: the CBOR of the new body, or `null` to remove the
 * document; `ifVersion`: only when its version is this one (0 for none yet).
 */
export const documentPutRequest: z.ZodType<{ body: Uint8Array | null; ifVersion?: number }> = z.strictObject({
  body: bytesOf(LIMITS.documentBytes).nullable(),
  ifVersion: count.exactOptional(),
});

/** Its answer: the version that was written. */
export const documentPutResponse: z.ZodType<{ version: number }> = z.object({ version: count });

/** Query of `GET /v1/organisations/:org/data/:writers/:collection`: what the page before named; 0 for the first. */
export const documentsQuery: z.ZodType<{ after: number }> = z.strictObject({ after: place });

/** Its answer: documents by the order of their newest version, `body` `null` for removed ones; `next` is what to ask after. */
export const documentsResponse: z.ZodType<DocumentsBody> = z.object({
  documents: z
    .array(z.strictObject({ id: documentId, version: count, body: bytesOf(LIMITS.documentBytes).nullable() }))
    .max(LIMITS.documentPage),
  next: count,
  more: z.boolean(),
});

/** A page of the documents of a collection, as the relay tells them. */
export interface DocumentsBody {
  documents: { id: string; version: number; body: Uint8Array | null }[];
  next: number;
  more: boolean;
}

/** `PUT /v1/organisations/:org/system/:collection`: the CBOR of the session's device's value, or `null` to clear it. */
export const systemPutRequest: z.ZodType<{ body: Uint8Array | null }> = z.strictObject({
  body: bytesOf(LIMITS.documentBytes).nullable(),
});

/** Its answer says nothing. There is no route that reads a system value. */
export const systemPutResponse: z.ZodType<Record<never, never>> = z.object({});
