import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, encodeCbor, uint64Bytes, type CborValue, type MessageBody } from '@keytide/crypto-core';
import { bodySizeBytes, readBody, writeBody } from '../src/message-body.ts';
import { readBodyByDecoding } from './read-body-by-decoding.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const edges = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
const size = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
);
const body: fc.Arbitrary<MessageBody> = fc
  .record({ previousLink: hash, directory: size, directoryRoot: hash, group: size, groupRoot: hash, payload })
  .map((fields) => ({
    previousLink: fields.previousLink,
    heads: {
      directory: { size: fields.directory, root: fields.directoryRoot },
      group: { size: fields.group, root: fields.groupRoot },
    },
    payload: fields.payload,
  }));

function fieldsOf({ previousLink, heads: { directory, group }, payload: content }: MessageBody): CborValue[] {
  return [1, previousLink, [directory.size, directory.root, group.size, group.root], content];
}

function encoded(value: MessageBody): Uint8Array {
  const bytes = new Uint8Array(bodySizeBytes(value));
  writeBody(bytes, value);
  return bytes;
}

test('a body written in place is the deterministic CBOR of its fields, and is read as by the decoder', () => {
  fc.assert(
    fc.property(body, (value) => {
      const bytes = encoded(value);
      expect(bytes).toEqual(encodeCbor(fieldsOf(value)));
      expect(readBody(bytes)).toEqual(value);
      expect(readBodyByDecoding(bytes)).toEqual(value);
    }),
  );
});

test('every alteration has the verdict of the decoder', () => {
  const alteration = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0x00, 0x17, 0x18, 0x19, 0x1b, 0x40, 0x58, 0x84, 0x85, 0xff), fc.nat(255)),
    kind: fc.constantFrom('set', 'insert', 'remove', 'cut'),
  });
  fc.assert(
    fc.property(body, fc.array(alteration, { minLength: 1, maxLength: 3 }), (value, alterations) => {
      const bytes = [...encoded({ ...value, payload: value.payload.subarray(0, 40) })];
      for (const { at, byte, kind } of alterations) {
        // Most places are in hashes, where nothing can go wrong: half of the alterations aim at the heads.
        const place =
          at % 2 === 0 ? at % (bytes.length + 1) : ([0, 1, 2, 3, 36, 37, 38, 39][at % 8] as number);
        if (kind === 'set') bytes[place] = byte;
        if (kind === 'insert') bytes.splice(place, 0, byte);
        if (kind === 'remove') bytes.splice(place, 1);
        if (kind === 'cut') bytes.length = Math.min(bytes.length, place);
      }
      const altered = Uint8Array.from(bytes);
      expect(readBody(altered)).toEqual(readBodyByDecoding(altered));
    }),
    { numRuns: 3000 },
  );
});

test('a number in more bytes than it needs, or beyond the safe integers, is malformed', () => {
  const root = concatBytes(Uint8Array.of(0x58, 32), new Uint8Array(32));
  /** A CBOR head whose number has `width` bytes; with 0, it is in the first byte. */
  const head = (major: number, width: 0 | 1 | 2 | 4 | 8, value: number): Uint8Array =>
    width === 0
      ? Uint8Array.of(major | value)
      : concatBytes(Uint8Array.of(major | (24 + Math.log2(width))), uint64Bytes(value).slice(8 - width));
  const build = (directory: Uint8Array, group: Uint8Array, payloadHead: Uint8Array) =>
    concatBytes(Uint8Array.of(0x84, 1), root, Uint8Array.of(0x84), directory, root, group, root, payloadHead);
  const [short, empty] = [head(0, 0, 5), head(0x40, 0, 0)];
  expect(typeof readBody(build(short, short, empty))).toBe('object');
  for (const width of [1, 2, 4, 8] as const) {
    const value = 256 ** (width / 2) - 1;
    for (const bytes of [
      build(head(0, width, value), short, empty),
      build(short, head(0, width, value), empty),
      build(short, short, head(0x40, width, 0)),
    ]) {
      expect(readBody(bytes)).toBe('malformed');
      expect(readBodyByDecoding(bytes)).toBe('malformed');
    }
  }
  // The bytes that would complete these heads are also what stands behind a shorter one.
  const overlapping = [
    build(Uint8Array.of(0x19, 0), short, empty),
    build(short, Uint8Array.of(0x1a, 0, 0), empty),
    build(short, short, Uint8Array.of(0x59, 0, 3, 0)),
  ];
  for (const bytes of overlapping) expect(readBody(bytes)).toBe('malformed');
  const beyond = concatBytes(Uint8Array.of(0x1b), Uint8Array.of(0, 32, 0, 0, 0, 0, 0, 0));
  expect(readBody(build(beyond, short, empty))).toBe('malformed');
});

test('another version is told apart from bytes that are no body', () => {
  const [, ...rest] = fieldsOf({
    previousLink: new Uint8Array(32),
    heads: { directory: { size: 0, root: new Uint8Array(32) }, group: { size: 0, root: new Uint8Array(32) } },
    payload: new Uint8Array(3),
  });
  expect(readBody(encodeCbor([2, ...rest]))).toBe('unsupported-version');
  expect(readBody(encodeCbor([1, ...rest, 0]))).toBe('malformed');
  expect(readBody(encodeCbor([-1, ...rest]))).toBe('malformed');
});
