import { fromBase64Url } from '@keytide/crypto-core';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';

const schema = z.object({ seq: z.int().min(1), statement: z.string() });

/** Reads a line of a segment's statements. @throws ArchiveError `malformed` */
export function parseStatementLine(value: unknown): { readonly seq: number; readonly wire: Uint8Array } {
  const line = schema.safeParse(value).data;
  const wire = line === undefined ? null : fromBase64Url(line.statement);
  if (line === undefined || wire === null) throw new ArchiveError('malformed', 'not a line of a statement');
  return { seq: line.seq, wire };
}
