import {
  CryptoError,
  deviceId,
  encodeCbor,
  fromBase64Url,
  fromHex,
  memberId,
  type CborValue,
} from '@keytide/crypto-core';
import { ROLES } from '@keytide/key-directory';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { SourceEntry } from '../export/source.ts';
import { fromJson, type JsonValue } from './content.ts';
import { attachmentsIn } from './named-attachments.ts';

/** What a line of a segment says: an entry of the log that is no statement. */
export type SegmentLine = Exclude<SourceEntry, { kind: 'statement' }>;

/** Text that stands for bytes. */
const bytesFrom = (read: (text: string) => Uint8Array | null): z.ZodType<Uint8Array> =>
  z.string().transform((text, context) => {
    const bytes = read(text);
    if (bytes !== null) return bytes;
    context.addIssue('not bytes');
    return z.NEVER;
  }) as unknown as z.ZodType<Uint8Array>;
const hex = (sizeBytes: number): z.ZodType<Uint8Array> =>
  bytesFrom((text) => (text.length === 2 * sizeBytes ? fromHex(text) : null));
const base64Url = bytesFrom(fromBase64Url);
const seq = z.int().min(1);
const epoch = z.int().min(1);
const unreadableSchema = z.object({
  ...{ seq, envelope: base64Url, epoch: epoch.nullable(), unreadable: z.string() },
});
const messageSchema = z.object({
  ...{ seq, envelope: base64Url, epoch, sender: hex(32), member: hex(16), role: z.enum(ROLES) },
  ...{ counter: z.int().min(0), channel: hex(16), invalid: z.string().exactOptional() },
  ...{ payload: base64Url.exactOptional(), content: z.unknown().exactOptional() },
});

/** Reads a line of a segment; its attachments are those that its content names. @throws ArchiveError `malformed` */
export function parseSegmentLine(value: unknown): SegmentLine {
  if (typeof value === 'object' && value !== null && 'unreadable' in value) {
    const unreadable = unreadableSchema.safeParse(value).data;
    if (unreadable === undefined) throw malformed();
    const { unreadable: code, ...rest } = unreadable;
    return { kind: 'unreadable', ...rest, code };
  }
  const message = messageSchema.safeParse(value).data;
  if (message === undefined) throw malformed();
  const { sender, member, content, payload, invalid = null, ...rest } = message;
  const said = payload === undefined ? saidIn(content as JsonValue | undefined) : null;
  return {
    ...{ kind: 'message', ...rest, sender: deviceId(sender), member: memberId(member), invalid },
    payload: said?.payload ?? (payload as Uint8Array),
    attachments: said === null ? [] : attachmentsIn(said.value),
  };
}

/** Every payload of ours has one form as JSON, and one as bytes. */
function saidIn(content: JsonValue | undefined): { readonly value: CborValue; readonly payload: Uint8Array } {
  const read = content === undefined ? null : fromJson(content);
  if (read === null) throw malformed();
  try {
    return { value: read.value, payload: encodeCbor(read.value) };
  } catch (error) {
    if (error instanceof CryptoError) throw malformed();
    throw error;
  }
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not a line of a segment');
}
