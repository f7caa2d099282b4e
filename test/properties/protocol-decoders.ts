import {
  concatBytes,
  decodeCbor,
  decodeUtf8,
  encodeCbor,
  toBase64Url,
  uint32Bytes,
  type CborValue,
} from '@keytide/crypto-core';
import * as protocol from '@keytide/relay-protocol';
import { FRAME_EXAMPLES } from '../../packages/relay-protocol/test/examples.ts';
import { through, type Decoder } from './decoder.ts';
import { bytesOf, textOf } from './text-input.ts';

const { decodeClientFrame, decodeRelayFrame, encodeClientFrame, encodeRelayFrame, ProtocolError } = protocol;
const CODES: readonly protocol.ProtocolErrorCode[] = ['malformed', 'too-large', 'unsupported-version'];
const isClientFrame = (frame: Uint8Array): boolean => (frame[1] as number) < 16;

/** Not a hint of a newer relay, which this version reads and does not write. */
const isKnown = (frame: protocol.RelayFrame): boolean => frame.type !== 'hint' || frame.topic !== null;

/** A frame without what a newer relay says at the end of its welcome. */
function known(frame: Uint8Array): Uint8Array {
  const fields = decodeCbor(frame, frame.length) as readonly CborValue[];
  return fields[0] === 16 ? encodeCbor(fields.slice(0, 5)) : frame;
}

/** The frames of a list that was accepted. */
function framesOf(list: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < list.length;) {
    const size = new DataView(list.buffer, list.byteOffset + at, 4).getUint32(0);
    frames.push(list.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return frames;
}

/** A schema of bodies.ts, as far as it is used here. */
interface Schema {
  safeParse(value: unknown): { readonly success: boolean; readonly data?: unknown };
}

/** HTTP bodies as JSON text: never a throw, and what is accepted says what it said before. */
function body(name: string, schema: Schema, ...good: readonly object[]): Decoder {
  return {
    name: `HTTP body ${name}`,
    error: ProtocolError,
    codes: [],
    corpus: () => good.map((value) => bytesOf(JSON.stringify(value))),
    rewrite: (input) => {
      const value = parsed(input);
      const { success, data } = schema.safeParse(value);
      // What is left out of an answer's `data` are fields of a newer relay.
      return success ? sortedText(withNewer(plain(data), value)) : null;
    },
    normal: (input) => sortedText(parsed(input)),
  };
}

/** What was read, with the fields, at any depth, that were left out. */
function withNewer(read: unknown, given: unknown): unknown {
  if (Array.isArray(read) && Array.isArray(given))
    return read.map((item, index) => withNewer(item, given[index]));
  if (typeof read !== 'object' || read === null || typeof given !== 'object' || given === null) return read;
  const fields = Object.entries(read).map(([name, value]) => [
    name,
    withNewer(value, (given as Record<string, unknown>)[name]),
  ]);
  return { ...given, ...(Object.fromEntries(fields) as object) };
}

const id = 'ab'.repeat(32);
const subject = { kind: 'device', id };
const bytes = (sizeBytes: number): string => toBase64Url(new Uint8Array(sizeBytes).fill(0x7f));

/** Readers of relay-protocol. */
export const protocolDecoders: readonly Decoder[] = [
  {
    name: 'frame of a client',
    error: ProtocolError,
    codes: CODES,
    corpus: () => Object.values(FRAME_EXAMPLES).filter(isClientFrame),
    rewrite: through(decodeClientFrame, encodeClientFrame),
  },
  {
    name: 'frame of a relay',
    error: ProtocolError,
    codes: CODES,
    corpus: () => Object.values(FRAME_EXAMPLES).filter((frame) => !isClientFrame(frame)),
    rewrite: through(decodeRelayFrame, (frame) => (isKnown(frame) ? encodeRelayFrame(frame) : null)),
    normal: known,
  },
  {
    name: 'list of frames of a relay',
    error: ProtocolError,
    codes: CODES,
    corpus: () => {
      const frames = Object.values(FRAME_EXAMPLES).filter((frame) => !isClientFrame(frame));
      return [1, 2, 5].map((count) =>
        protocol.encodeFrameList(frames.slice(0, count).map((each) => decodeRelayFrame(each))),
      );
    },
    rewrite: through(protocol.decodeFrameList, (frames) =>
      frames.every(isKnown) ? protocol.encodeFrameList(frames) : null,
    ),
    normal: (list) =>
      concatBytes(
        ...framesOf(list).flatMap((each) => {
          const frame = known(each);
          return [uint32Bytes(frame.length), frame];
        }),
      ),
  },
  body('healthResponse', protocol.healthResponse, {
    status: 'ok',
    version: '1',
    name: 'http://a',
    key: bytes(32),
  }),
  body('organisationRequest', protocol.organisationRequest, { entry: bytes(100) }),
  body('organisationResponse', protocol.organisationResponse, { org: id }),
  body('challengeRequest', protocol.challengeRequest, { subject }, { subject: { kind: 'invite', id } }),
  body('challengeResponse', protocol.challengeResponse, { challenge: bytes(32), expiresAtMs: 1e12 }),
  body('sessionRequest', protocol.sessionRequest, { subject, challenge: bytes(32), signature: bytes(64) }),
  body('sessionResponse', protocol.sessionResponse, { token: 'dG9rZW4', expiresAtMs: 1e12 }),
  body('logResponse', protocol.logResponse, { entries: [bytes(5), bytes(6), ''], size: 3 }),
  body('logAppendRequest', protocol.logAppendRequest, { entry: bytes(7) }),
  body('logAppendResponse', protocol.logAppendResponse, { index: 3 }),
  body('cosignatureRequest', protocol.cosignatureRequest, { note: 'ü\n1\n\nü a b\n' }),
  body('cosignatureResponse', protocol.cosignatureResponse, { size: 3 }),
  body('lookupResponse', protocol.lookupResponse, { checkpoint: 'a\n1\n', lookup: bytes(9) }),
  body('sealingRecordRequest', protocol.sealingRecordRequest, { record: bytes(8) }),
  body('sealingRecordResponse', protocol.sealingRecordResponse, { seq: 3 }),
  body('sealingRecordsResponse', protocol.sealingRecordsResponse, {
    records: [{ device: id, record: bytes(8) }],
    next: 3,
    more: false,
  }),
  body('boxResponse', protocol.boxResponse, { box: bytes(40) }),
  body('floorResponse', protocol.floorResponse, {
    firstSeq: 4,
    statement: bytes(40),
    frontier: bytes(64),
  }),
  body('retentionResponse', protocol.retentionResponse, {
    waived: false,
    due: [{ group: id, firstSeq: 1, lastSeq: 4, dueAtMs: 1e12, isExported: true }],
    deleted: [bytes(180)],
    exported: [bytes(180)],
  }),
  body('exportRequest', protocol.exportRequest, { statement: bytes(180) }),
  body('exportResponse', protocol.exportResponse, { throughSeq: 4 }),
  body('errorResponse', protocol.errorResponse, { code: 'head-moved', message: 'no', size: 3, reason: 'x' }),
];

/** Fields whose bytes travel as the text that they are. */
const TEXTS = ['note', 'checkpoint'];

/** Bytes as they travel: as base64url, most of them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64Url(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  const field = ([key, item]: [string, unknown]): [string, unknown] => [
    key,
    TEXTS.includes(key) ? decodeUtf8(item as Uint8Array) : plain(item),
  ];
  return Object.fromEntries(Object.entries(value).map(field));
}

/** JSON whose keys are in one order. */
function sortedText(value: unknown): Uint8Array {
  const sorted = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(sorted);
    if (item === null || typeof item !== 'object') return item;
    return Object.entries(item)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]);
  };
  return bytesOf(JSON.stringify(sorted(value)) ?? '');
}

/** What the JSON says; `undefined` for text that is none. */
function parsed(input: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(input)) as unknown;
  } catch {
    return undefined;
  }
}
