import type { MergeRecords, OpenedEntry } from '@keytide/archive/formats';
import { deviceId, encodeCbor, groupId, memberId, type CborValue } from '@keytide/crypto-core';
import * as fc from 'fast-check';

/** What a test says of a message. */
export interface Said {
  readonly content: CborValue;
  readonly by?: string;
  readonly invalid?: string;
  readonly attachments?: Extract<OpenedEntry['entry'], { kind: 'message' }>['attachments'];
}

const GROUP = groupId(new Uint8Array(32).fill(0x91));

/** Text of any Unicode; fast-check's own takes seconds to begin. */
export const anyText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0x10ffff })), { maxLength: 8 })
  .map((codes) => codes.filter((code) => code < 0xd800 || code > 0xdfff))
  .map((codes) => String.fromCodePoint(...codes));

/** A message at a place of the log. */
export function message(seq: number, { content, by = 'Ada', invalid, attachments = [] }: Said): OpenedEntry {
  const payload = encodeCbor(content);
  return {
    group: GROUP,
    name: by,
    endMs: null,
    entry: {
      ...{
        kind: 'message',
        seq,
        envelope: Uint8Array.of(1, seq & 255),
        epoch: 1,
        role: 'member',
        counter: seq,
      },
      ...{ sender: deviceId(new Uint8Array(32).fill(2)), member: memberId(new Uint8Array(16).fill(3)) },
      ...{ channel: new Uint8Array(16).fill(4), payload, invalid: invalid ?? null, attachments },
    },
  };
}

/** A message that nobody could read. */
export function unreadable(seq: number, code: string): OpenedEntry {
  const entry = { kind: 'unreadable', seq, envelope: Uint8Array.of(9), epoch: null, code } as const;
  return { group: GROUP, name: null, endMs: null, entry };
}

/** A log with each of these messages. */
export function logOf(...all: readonly Said[]): OpenedEntry[] {
  return all.map((said, index) => message(index + 1, said));
}

/** A chat message, and the changes of a record. */
export function chat(ms: number, body: { [field: string]: CborValue }, room = ''): CborValue {
  return [1, 0, 'chat', room, ms, 0, body];
}

/** A change of a record: 1 creates, 2 edits, 3 removes. */
export function change(
  act: 1 | 2 | 3,
  ms: number,
  body: { [field: string]: CborValue },
  item = 'a0',
): CborValue {
  return [1, act, 'requests', item.repeat(32), ms, 0, body];
}

/** What was written last stays: an application's own way is for its own tests. */
export const lastStays: MergeRecords = () => {
  const acts = new Set<string>();
  let body: { [field: string]: CborValue } = {};
  return {
    take({ role, act, body: said }) {
      if (role !== 'member') return false;
      acts.add(act);
      body = { ...body, ...said };
      return true;
    },
    get isCreated() {
      return acts.has('create');
    },
    get isRemoved() {
      return acts.has('remove');
    },
    get body() {
      return body;
    },
  };
};

/** All of it. */
export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
