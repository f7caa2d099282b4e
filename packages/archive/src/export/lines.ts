import { toBase64Url, toHex } from '@keytide/crypto-core';
import { contentOf, type JsonValue } from '../container/content.ts';
import type { Filtered } from '../container/filter.ts';
import type { SourceEntry } from './source.ts';

/** The line of an envelope in a segment, in the order of docs/spec/archive.md. */
export function lineOf(entry: Exclude<SourceEntry, { kind: 'statement' }>): JsonValue {
  const { seq, envelope, epoch } = entry;
  const start = { seq, envelope: toBase64Url(envelope), epoch };
  if (entry.kind === 'unreadable') return { ...start, unreadable: entry.code };
  const { sender, member, role, counter, channel, payload, invalid } = entry;
  return {
    ...start,
    ...{ sender, member, role, counter, channel: toHex(channel) },
    ...(invalid === null ? {} : { invalid }),
    ...(contentOf(payload) ?? { payload: toBase64Url(payload) }),
  };
}

/** What a filter is asked about a message: collection and time are where an operation has them. */
export function filteredOf({ member, payload }: Extract<SourceEntry, { kind: 'message' }>): Filtered {
  const content = contentOf(payload)?.content;
  const [version, , collection, , ms] = Array.isArray(content) ? (content as readonly JsonValue[]) : [];
  const isOperation = version === 1;
  return {
    member,
    collection: isOperation && typeof collection === 'string' ? collection : null,
    ms: isOperation && typeof ms === 'number' ? ms : null,
  };
}
