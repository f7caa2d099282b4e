import { encodeCbor, idBytes, type CborValue, type GroupId } from '@keytide/crypto-core';
import { readGroup } from './client-frames.ts';
import { ProtocolError } from './errors.ts';
import { readArray, readBytes, readExactBytes, readText, readTuple, readUint } from './fields.ts';
import { readFrame } from './frame.ts';
import { LIMITS, PROTOCOL_VERSION } from './limits.ts';

/** What a relay sends (docs/spec/frames.md). */
export type RelayFrame =
  /** Answers hello. `directorySize` is the number of entries of the membership log. */
  | {
      readonly type: 'welcome';
      readonly relayTimeMs: number;
      readonly directorySize: number;
      /** Which past the relay's logs have: 16 bytes, others after it was put back (docs/spec/timeline.md). */
      readonly timeline: Uint8Array;
    }
  /** Answers append and announce once everything is durable; one seq an item, in the order of the items. */
  | { readonly type: 'appended'; readonly requestId: number; readonly seqs: readonly number[] }
  /** Consecutive entries of a group's log, the first of them at `firstSeq`. */
  | {
      readonly type: 'entries';
      readonly group: GroupId;
      readonly firstSeq: number;
      readonly entries: readonly GroupEntry[];
    }
  /** Everything up to `headSeq` has been sent; what follows is live. */
  | { readonly type: 'caught-up'; readonly group: GroupId; readonly headSeq: number }
  /** Answers the request `requestId`, or ends the connection when that is `null`. A `RefusalCode`, or a newer one. */
  | { readonly type: 'refused'; readonly requestId: number | null; readonly code: string }
  /** The membership log has grown to `size` entries. */
  | { readonly type: 'directory'; readonly size: number }
  | { readonly type: 'pong'; readonly nonce: number }
  /** Entries before `firstAvailableSeq` have expired. */
  | { readonly type: 'gap'; readonly group: GroupId; readonly firstAvailableSeq: number }
  /** Something outside the logs has changed for this device: look there again. `null`: a topic of a newer relay, to pass over. */
  | { readonly type: 'hint'; readonly topic: HintTopic | null }
  /** What another device says only to those who are connected (docs/spec/ephemeral.md). */
  | { readonly type: 'ephemeral'; readonly group: GroupId; readonly frame: Uint8Array }
  /** Answers a subscribe that has something to catch up on: the group's log goes on to `headSeq`. Before the entries. */
  | { readonly type: 'head'; readonly group: GroupId; readonly headSeq: number };

/**
 * What a hint can be about: access requests and their answers, pairwise messages, data of the organisation, wipes, what
 * will soon be forgotten.
 */
export type HintTopic = 'access' | 'mail' | 'data' | 'wipe' | 'retention';

/** What one entry of a group's log is. */
export type EntryKind = 'envelope' | 'statement';

/** One entry of a group's log: an envelope, or the epoch statement that opens an epoch. */
export interface GroupEntry {
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

/** Entry kinds in the order of their numbers on the wire. */
const ENTRY_KINDS: readonly EntryKind[] = ['envelope', 'statement'];
/** Topics in the order of their numbers on the wire. */
const TOPICS: readonly HintTopic[] = ['access', 'mail', 'data', 'wipe', 'retention'];

const TYPE = {
  welcome: 16,
  appended: 17,
  entries: 18,
  caughtUp: 19,
  refused: 20,
  directory: 21,
  pong: 22,
  gap: 23,
  hint: 24,
  ephemeral: 25,
  head: 26,
} as const;

/** The frame's bytes. @throws ProtocolError `malformed` for a hint without a topic, which nobody sends */
export function encodeRelayFrame(frame: RelayFrame): Uint8Array {
  return encodeCbor(relayFrameValue(frame));
}

/**
 * Parses a frame of a relay.
 * @throws ProtocolError `too-large` over 4 MiB, `unsupported-version` for a welcome of another version,
 *   `malformed` for anything else that is not exactly one frame
 */
export function decodeRelayFrame(bytes: Uint8Array): RelayFrame {
  const fields = readFrame(bytes, LIMITS.relayFrameBytes);
  switch (fields[0]) {
    case TYPE.welcome:
      return decodeWelcome(fields);
    case TYPE.appended: {
      const [, requestId, seqs] = readTuple(fields, 3);
      return {
        type: 'appended',
        requestId: readUint(requestId),
        seqs: readArray(seqs, LIMITS.appendItems).map(readUint),
      };
    }
    case TYPE.entries:
      return decodeEntries(readTuple(fields, 4));
    case TYPE.caughtUp: {
      const [, group, headSeq] = readTuple(fields, 3);
      return { type: 'caught-up', group: readGroup(group), headSeq: readUint(headSeq) };
    }
    case TYPE.refused: {
      const [, requestId, code] = readTuple(fields, 3);
      return {
        type: 'refused',
        requestId: requestId === null ? null : readUint(requestId),
        code: readText(code, 64),
      };
    }
    case TYPE.directory:
      return { type: 'directory', size: readUint(readTuple(fields, 2)[1]) };
    case TYPE.pong:
      return { type: 'pong', nonce: readUint(readTuple(fields, 2)[1]) };
    case TYPE.gap: {
      const [, group, firstAvailableSeq] = readTuple(fields, 3);
      return { type: 'gap', group: readGroup(group), firstAvailableSeq: readUint(firstAvailableSeq) };
    }
    case TYPE.hint:
      return { type: 'hint', topic: TOPICS[readUint(readTuple(fields, 2)[1])] ?? null };
    case TYPE.ephemeral: {
      const [, group, frame] = readTuple(fields, 3);
      return { type: 'ephemeral', group: readGroup(group), frame: readBytes(frame, LIMITS.ephemeralBytes) };
    }
    case TYPE.head: {
      const [, group, headSeq] = readTuple(fields, 3);
      return { type: 'head', group: readGroup(group), headSeq: readUint(headSeq) };
    }
    default:
      throw new ProtocolError('malformed', 'not a frame of a relay');
  }
}

function relayFrameValue(frame: RelayFrame): CborValue {
  switch (frame.type) {
    case 'welcome':
      return [TYPE.welcome, PROTOCOL_VERSION, frame.relayTimeMs, frame.directorySize, frame.timeline];
    case 'appended':
      return [TYPE.appended, frame.requestId, frame.seqs];
    case 'entries': {
      const entries = frame.entries.map(({ kind, bytes }) => [ENTRY_KINDS.indexOf(kind), bytes]);
      return [TYPE.entries, idBytes(frame.group), frame.firstSeq, entries];
    }
    case 'caught-up':
      return [TYPE.caughtUp, idBytes(frame.group), frame.headSeq];
    case 'refused':
      return [TYPE.refused, frame.requestId, frame.code];
    case 'directory':
      return [TYPE.directory, frame.size];
    case 'pong':
      return [TYPE.pong, frame.nonce];
    case 'gap':
      return [TYPE.gap, idBytes(frame.group), frame.firstAvailableSeq];
    case 'hint':
      if (frame.topic === null) throw new ProtocolError('malformed', 'a hint without a topic');
      return [TYPE.hint, TOPICS.indexOf(frame.topic)];
    case 'ephemeral':
      return [TYPE.ephemeral, idBytes(frame.group), frame.frame];
    case 'head':
      return [TYPE.head, idBytes(frame.group), frame.headSeq];
  }
}

function decodeWelcome(fields: readonly CborValue[]): RelayFrame {
  if (readUint(fields[1]) !== PROTOCOL_VERSION)
    throw new ProtocolError('unsupported-version', `this client speaks version ${PROTOCOL_VERSION}`);
  // A later relay of this version may say more behind what is read here.
  const [, , relayTimeMs, directorySize, timeline] = fields;
  return {
    type: 'welcome',
    relayTimeMs: readUint(relayTimeMs),
    directorySize: readUint(directorySize),
    timeline: readExactBytes(timeline, LIMITS.timelineBytes),
  };
}

function decodeEntries([, group, firstSeq, values]: readonly CborValue[]): RelayFrame {
  const entries = readArray(values, LIMITS.appendItems).map((value) => {
    const [number, bytes] = readTuple(value, 2);
    const kind = ENTRY_KINDS[readUint(number)];
    if (kind === undefined) throw new ProtocolError('malformed', 'not a kind of entry');
    return { kind, bytes: readBytes(bytes, LIMITS.statementBytes) };
  });
  if (entries.length === 0) throw new ProtocolError('malformed', 'entries of nothing');
  return { type: 'entries', group: readGroup(group), firstSeq: readUint(firstSeq), entries };
}
