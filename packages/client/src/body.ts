import type { z } from 'zod';
import { ClientError } from './errors.ts';

/** What the application stores in a collection: a flat or nested value of JSON's types, as an object. */
export type Body = { readonly [field: string]: unknown };

/** What a peer wrote, if it fits; a schema that throws refuses, so that no peer can stop this device. */
export function accepted<T extends Body>(schema: z.ZodType<T>, body: Body): T | null {
  try {
    return schema.safeParse(body).data ?? null;
  } catch {
    return null;
  }
}

/** Names the fields that do not fit, never their values. */
export function invalidValue(
  collection: string,
  error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] },
): ClientError {
  const problems = error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || 'value'}: ${issue.message}`,
  );
  return new ClientError('invalid-value', `${collection}: ${problems.join('; ')}`);
}
