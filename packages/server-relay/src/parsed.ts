import type { z } from 'zod';
import { RelayError } from './errors.ts';

/** A part of a request as its schema has it. @throws RelayError `malformed` */
export function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new RelayError('malformed', 'not what the specification says');
  return result.data;
}
