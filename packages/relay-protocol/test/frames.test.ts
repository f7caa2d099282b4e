import fc from 'fast-check';
import { decodeCbor, deviceId, encodeCbor, groupId, toHex, type CborValue } from '@keytide/crypto-core';
import {
  decodeClientFrame,
  decodeRelayFrame,
  encodeClientFrame,
  encodeRelayFrame,
  LIMITS,
  ProtocolError,
  type ClientFrame,
  type RelayFrame,
} from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { FRAME_EXAMPLES } from './examples.ts';

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const uint = fc.maxSafeNat();
const group = bytes(32).map(groupId);

const clientFrame: fc.Arbitrary<ClientFrame> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), token: fc.string({ maxLength: 256 }) }),
  fc.record({
    type: fc.constant('append' as const),
    requestId: uint,
    group,
    items: fc.array(fc.record({ messageId: bytes(16), envelope: bytes(0, 300) }), {
      minLength: 1,
      maxLength: 9,
    }),
  }),
  fc.record({
    type: fc.constant('announce' as const),
    requestId: uint,
    group,
    messageId: bytes(16),
    statement: bytes(0, 300),
    boxes: fc.array(fc.record({ device: bytes(32).map(deviceId), box: bytes(0, 100) }), { maxLength: 9 }),
  }),
  fc.record({ type: fc.constant('subscribe' as const), group, afterSeq: uint }),
  fc.record({ type: fc.constant('subscribe' as const), group, afterSeq: uint, timeline: bytes(16) }),
  fc.record({ type: fc.constant('ping' as const), nonce: uint }),
  fc.record({ type: fc.constant('ephemeral' as const), group, frame: bytes(0, 300) }),
);

const relayFrame: fc.Arbitrary<RelayFrame> = fc.oneof(
  fc.record({
    type: fc.constant('welcome' as const),
    relayTimeMs: uint,
    directorySize: uint,
    timeline: bytes(16),
  }),
  fc.record({ type: fc.constant('appended' as const), requestId: uint, seqs: fc.array(uint) }),
  fc.record({
    type: fc.constant('entries' as const),
    group,
    firstSeq: uint,
    entries: fc.array(
      fc.record({ kind: fc.constantFrom('envelope' as const, 'statement' as const), bytes: bytes(0, 300) }),
      {
        minLength: 1,
        maxLength: 9,
      },
    ),
  }),
  fc.record({ type: fc.constant('caught-up' as const), group, headSeq: uint }),
  fc.record({
    type: fc.constant('refused' as const),
    requestId: fc.option(uint),
    code: fc.string({ maxLength: 64 }),
  }),
  fc.record({ type: fc.constant('directory' as const), size: uint }),
  fc.record({ type: fc.constant('pong' as const), nonce: uint }),
  fc.record({ type: fc.constant('gap' as const), group, firstAvailableSeq: uint }),
  fc.record({
    type: fc.constant('hint' as const),
    topic: fc.constantFrom('access', 'mail', 'data', 'wipe', 'retention'),
  }),
  fc.record({ type: fc.constant('ephemeral' as const), group, frame: bytes(0, 300) }),
  fc.record({ type: fc.constant('head' as const), group, headSeq: uint }),
);

const id = new Uint8Array(16);
const g = new Uint8Array(32);
const many = (count: number, value: CborValue): CborValue[] => Array.from({ length: count }, () => value);
const codeOf = (decode: (bytes: Uint8Array) => unknown, value: CborValue | Uint8Array): string => {
  try {
    decode(value instanceof Uint8Array ? value : encodeCbor(value));
    return 'accepted';
  } catch (error) {
    return error instanceof ProtocolError ? error.code : String(error);
  }
};

describe('frames', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(clientFrame, (frame) => {
        expect(decodeClientFrame(encodeClientFrame(frame))).toEqual(frame);
      }),
    );
    fc.assert(
      fc.property(relayFrame, (frame) => {
        expect(decodeRelayFrame(encodeRelayFrame(frame))).toEqual(frame);
      }),
    );
  });
  test('have one encoding each: what is read is written back byte for byte, whatever the bytes', () => {
    const models = Object.values(FRAME_EXAMPLES);
    const damaged = fc
      .tuple(
        fc.constantFrom(...models),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 }),
        fc.nat(200),
      )
      .map(([model, hits, length]) => {
        const copy = new Uint8Array(model).subarray(0, Math.max(1, length));
        for (const [at, byte] of hits) copy[at % copy.length] = byte;
        return copy;
      });
    fc.assert(
      fc.property(damaged, (input) => {
        for (const [decode, encode] of [
          [decodeClientFrame, encodeClientFrame],
          [decodeRelayFrame, encodeRelayFrame],
        ] as const) {
          try {
            const frame = decode(input);
            // Of a newer relay; nobody here writes one.
            if (frame.type === 'hint' && frame.topic === null) continue;
            expect(toHex((encode as (frame: unknown) => Uint8Array)(frame))).toBe(toHex(input));
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error;
          }
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('what a client reads of a newer relay', () => {
  const value: fc.Arbitrary<CborValue> = fc.oneof(
    uint,
    bytes(0, 40),
    fc.string({ maxLength: 9 }),
    fc.constant(null),
  );
  const welcome = [16, 1, 1_893_456_000_000, 3, id] as const;

  test('a welcome that says more at its end, whatever that is', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (more) => {
        expect(decodeRelayFrame(encodeCbor([...welcome, ...more]))).toEqual({
          type: 'welcome',
          relayTimeMs: 1_893_456_000_000,
          directorySize: 3,
          timeline: id,
        });
      }),
    );
  });
  test('a hint about something that it does not know', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: Number.MAX_SAFE_INTEGER }), (topic) => {
        expect(decodeRelayFrame(encodeCbor([24, topic]))).toEqual({ type: 'hint', topic: null });
      }),
    );
    expect(codeOf(() => encodeRelayFrame({ type: 'hint', topic: null }), null)).toBe('malformed');
  });
  test('and nothing else: every other frame has its own length, and so has every frame of a client', () => {
    const others = fc.oneof(
      relayFrame.filter(({ type }) => type !== 'welcome').map(encodeRelayFrame),
      clientFrame.map(encodeClientFrame),
    );
    fc.assert(
      fc.property(others, value, (frame, more) => {
        const fields = decodeCbor(frame, frame.length) as CborValue[];
        // A subscription from the beginning may name a timeline.
        fc.pre(fields[0] !== 4 || fields.length === 4);
        const decode = (fields[0] as number) < 16 ? decodeClientFrame : decodeRelayFrame;
        expect(codeOf(decode, [...fields, more])).toBe('malformed');
      }),
    );
  });
});

describe('what a relay refuses to read', () => {
  test.each<[string, string, CborValue]>([
    ['nothing in an array', 'malformed', []],
    ['not an array', 'malformed', { type: 1 }],
    ['an unknown type', 'malformed', [9, 1]],
    ["a relay's frame", 'malformed', [22, 1]],
    ['a type that is no number', 'malformed', ['1', 1, 'x']],
    ['hello of version 2', 'unsupported-version', [1, 2, 'x']],
    ['hello of version 2 with other fields', 'unsupported-version', [1, 2]],
    ['hello without token', 'malformed', [1, 1]],
    ['hello with more', 'malformed', [1, 1, 'x', 'y']],
    ['hello with a long token', 'malformed', [1, 1, 'x'.repeat(257)]],
    ['an append of nothing', 'malformed', [2, 1, g, []]],
    ['an append of 501', 'malformed', [2, 1, g, many(501, [id, id])]],
    ['a short message id', 'malformed', [2, 1, g, [[id.subarray(1), id]]]],
    ['a long message id', 'too-large', [2, 1, g, [[new Uint8Array(17), id]]]],
    ['a long envelope', 'too-large', [2, 1, g, [[id, new Uint8Array(LIMITS.envelopeBytes + 1)]]]],
    ['an envelope as text', 'malformed', [2, 1, g, [[id, 'x']]]],
    ['a negative request id', 'malformed', [2, -1, g, [[id, id]]]],
    ['a fraction', 'malformed', [5, 1.5]],
    ['a short group', 'malformed', [4, g.subarray(1), 0]],
    ['a long statement', 'too-large', [3, 1, g, id, new Uint8Array(LIMITS.statementBytes + 1), []]],
    ['a long box', 'too-large', [3, 1, g, id, id, [[g, new Uint8Array(LIMITS.boxBytes + 1)]]]],
    ['a long ephemeral frame', 'too-large', [6, g, new Uint8Array(LIMITS.ephemeralBytes + 1)]],
    ['10,001 boxes', 'malformed', [3, 1, g, id, id, many(10_001, [g, id])]],
  ])('%s: %s', (_name, code, value) => {
    expect(codeOf(decodeClientFrame, value)).toBe(code);
  });
  test('what is at the limit is read', () => {
    for (const value of [
      [1, 1, 'x'.repeat(256)],
      [2, 1, g, many(500, [id, id])],
      [2, 1, g, [[id, new Uint8Array(LIMITS.envelopeBytes)]]],
      [3, 1, g, id, new Uint8Array(LIMITS.statementBytes), many(10_000, [g, id])],
      [6, g, new Uint8Array(LIMITS.ephemeralBytes)],
    ])
      expect(codeOf(decodeClientFrame, value)).toBe('accepted');
  });
  test('a frame over its size, before looking at it', () => {
    const append = new Uint8Array(LIMITS.frameBytes + 1).fill(0x84, 0, 1).fill(2, 1, 2);
    const announce = new Uint8Array(LIMITS.announceFrameBytes + 1).fill(0x86, 0, 1).fill(3, 1, 2);
    expect(codeOf(decodeClientFrame, append)).toBe('too-large');
    expect(codeOf(decodeClientFrame, announce)).toBe('too-large');
    expect(codeOf(decodeClientFrame, announce.subarray(1))).toBe('too-large');
    expect(codeOf(decodeRelayFrame, new Uint8Array(LIMITS.relayFrameBytes + 1))).toBe('too-large');
  });
});

describe('what a client refuses to read', () => {
  test.each<[string, string, CborValue]>([
    ["a client's frame", 'malformed', [5, 1]],
    ['welcome of version 2', 'unsupported-version', [16, 2, 1, 1]],
    ['entries of nothing', 'malformed', [18, g, 1, []]],
    ['501 entries', 'malformed', [18, g, 1, many(501, [0, id])]],
    ['an unknown kind of entry', 'malformed', [18, g, 1, [[2, id]]]],
    ['a welcome without a timeline', 'malformed', [16, 1, 1, 1]],
    ['a welcome with another timeline', 'malformed', [16, 1, 1, 1, id.subarray(1)]],
    ['a topic that is no number', 'malformed', [24, 'mail']],
    ['a long code', 'malformed', [20, null, 'x'.repeat(65)]],
    ['a long ephemeral frame', 'too-large', [25, g, new Uint8Array(LIMITS.ephemeralBytes + 1)]],
    ['a time that is not one', 'malformed', [16, 1, -5, 1, id]],
  ])('%s: %s', (_name, code, value) => {
    expect(codeOf(decodeRelayFrame, value)).toBe(code);
  });
});
