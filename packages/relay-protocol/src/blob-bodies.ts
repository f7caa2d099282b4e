import { z } from 'zod';
import { count } from './json-fields.ts';
import { LIMITS } from './limits.ts';

/** The id of a blob, in a path: 32 random bytes as hex, chosen by who uploads it. */
export const blobId: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/);

/** A place in a blob, in the query of a request: written in one way. */
const offset: z.ZodType<number, string> = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,12})$/)
  .transform(Number);

/** `POST /v1/organisations/:org/blobs/:blob`: starts or goes on with an upload of so many bytes in all. */
export const blobStartRequest: z.ZodType<{ sizeBytes: number }> = z.strictObject({
  sizeBytes: count.pipe(z.int().min(1).max(LIMITS.blobBytes)),
});

/** Its answer, and that of `PUT`: how many bytes are safe. The upload goes on there. */
export const blobProgressResponse: z.ZodType<{ receivedBytes: number }> = z.object({ receivedBytes: count });

/** Query of `PUT /v1/organisations/:org/blobs/:blob`, whose body is the bytes from `offset` on. */
export const blobWriteQuery: z.ZodType<{ offset: number }> = z.strictObject({ offset });

/** Query of `GET /v1/organisations/:org/blobs/:blob`: which bytes; the answer is what there is of them. */
export const blobReadQuery: z.ZodType<{ offset: number; sizeBytes: number }> = z.strictObject({
  offset,
  sizeBytes: offset.pipe(z.int().min(1).max(LIMITS.blobPieceBytes)),
});
