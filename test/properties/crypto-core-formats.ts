import {
  createSealingRecord,
  CryptoError,
  decodeCbor,
  deviceId,
  encodeAttachmentDescriptor,
  encodeCbor,
  encodeDeviceRecord,
  fromBase64Url,
  fromHex,
  idBytes,
  memberId,
  openAttachment,
  pad,
  parseAttachmentDescriptor,
  parseDeviceRecord,
  parseEnvelopeHeader,
  parseEpochStatement,
  parseSealingRecord,
  printShare,
  readPrintedShare,
  resumeSealing,
  Secret,
  toBase64Url,
  toHex,
  uint32Bytes,
  unpad,
  type CborValue,
  type CryptoErrorCode,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { encodeEpochStatement } from '../../packages/crypto-core/src/epoch-statement.ts';
import { bodySizeBytes, readBody, writeBody } from '../../packages/crypto-core/src/message-body.ts';
import { encodeShare, parseShare } from '../../packages/crypto-core/src/quorum/share.ts';
import { decodeUtf8, encodeUtf8 } from '../../packages/crypto-core/src/utf8.ts';
import { longAttachment, messages, sealer, shares, wires } from './corpus.ts';
import { through, type Decoder } from './decoder.ts';
import { bytesOf, textOf } from './text-input.ts';

const READING: readonly CryptoErrorCode[] = ['malformed', 'too-large', 'unsupported-version'];
const reader = (
  row: Omit<Decoder, 'error' | 'codes'>,
  codes: readonly CryptoErrorCode[] = READING,
): Decoder => ({
  error: CryptoError,
  codes,
  ...row,
});

/** Readers of crypto-core that need no key: what they accept is written again by its pair. */
export const formats: readonly Decoder[] = [
  reader({
    name: 'CBOR',
    corpus: () => [...Object.values(wires), encodeCbor(VALUE)],
    rewrite: through((bytes) => decodeCbor(bytes, 16_384), encodeCbor),
  }),
  reader(
    {
      name: 'ids of 32 bytes',
      corpus: () => [new Uint8Array(32).fill(7)],
      rewrite: (bytes) => idBytes(deviceId(bytes)),
    },
    ['malformed'],
  ),
  reader(
    {
      name: 'ids as text',
      corpus: () => [bytesOf('0a'.repeat(16)), bytesOf('f0'.repeat(16))],
      rewrite: (bytes) => bytesOf(toHex(idBytes(memberId(textOf(bytes))))),
    },
    ['malformed'],
  ),
  reader({
    name: 'hexadecimal',
    corpus: () => [bytesOf('00ff7f80')],
    rewrite: (bytes) => written(fromHex(textOf(bytes)), (read) => bytesOf(toHex(read))),
  }),
  reader({
    name: 'base64url',
    corpus: () => ['', '-_8', 'AAEC', 'AQ'].map(bytesOf),
    rewrite: (bytes) => written(fromBase64Url(textOf(bytes)), (read) => bytesOf(toBase64Url(read))),
  }),
  reader({
    name: 'UTF-8',
    corpus: () => ['a', 'ü€😀', '\u0000\ud7ff\ue000\uffff'].map((text) => Uint8Array.from(Buffer.from(text))),
    rewrite: (bytes) => written(decodeUtf8(bytes), (text) => encodeUtf8(text)),
  }),
  reader(
    {
      name: 'padding',
      corpus: () => [0, 5, 300].map((size) => pad(new Uint8Array(size).fill(1))),
      rewrite: through(unpad, pad),
    },
    ['malformed'],
  ),
  reader({
    name: 'device record',
    corpus: () => [wires.deviceRecord],
    rewrite: through(parseDeviceRecord, encodeDeviceRecord),
  }),
  reader({
    name: 'sealing record',
    corpus: () => [wires.sealingRecord],
    rewrite: through(parseSealingRecord, (record, bytes) =>
      createSealingRecord(primitives, signedBefore(bytes), record),
    ),
  }),
  reader({
    name: 'epoch statement',
    corpus: () => [wires.firstStatement, wires.statement, wires.longStatement],
    rewrite: through(
      (bytes) => parseEpochStatement(primitives, bytes),
      (statement, bytes) => {
        const senders = statement.closing.senders.toSorted((a, b) => (a.device < b.device ? -1 : 1));
        const sorted = { ...statement, closing: { ...statement.closing, senders } };
        return encodeEpochStatement(primitives, signedBefore(bytes), sorted);
      },
    ),
  }),
  reader({
    name: 'envelope header',
    corpus: () => messages.map(({ envelope }) => envelope),
    rewrite: (bytes) => {
      const { group, epoch, slot, salt } = parseEnvelopeHeader(bytes);
      const start = [Uint8Array.of(1, 1), idBytes(group), uint32Bytes(epoch), slot, salt];
      return Uint8Array.from(Buffer.concat([...start, bytes.subarray(62)]));
    },
  }),
  reader({
    name: 'message body',
    corpus: () => messages.map(({ body }) => body),
    rewrite: (bytes) => {
      const body = readBody(bytes);
      if (typeof body === 'string') return null;
      const target = new Uint8Array(bodySizeBytes(body));
      writeBody(target, body);
      return target;
    },
  }),
  reader({
    name: 'attachment descriptor',
    corpus: () => [wires.descriptor, wires.unboundDescriptor],
    rewrite: through(parseAttachmentDescriptor, encodeAttachmentDescriptor),
  }),
  reader(
    {
      name: 'checkpoint of an opened attachment',
      corpus: () => [wires.openingCheckpoint],
      rewrite: (bytes) => openAttachment(primitives, longAttachment.descriptor, bytes).checkpoint(),
    },
    [...READING, 'content-mismatch'],
  ),
  reader({
    name: 'checkpoint of a sealed attachment',
    corpus: () => [wires.sealingCheckpoint, sealer().checkpoint()],
    rewrite: (bytes) => resumeSealing(primitives, bytes).checkpoint(),
  }),
  reader({
    name: 'quorum share',
    corpus: () => shares,
    rewrite: (bytes) => encodeShare(parseShare(bytes)).use((share) => share.slice()),
  }),
  reader(
    {
      name: 'printed share',
      corpus: () => shares.map((share) => bytesOf(printShare(Secret.own(share.slice())))),
      rewrite: (bytes) => plainShare(printShare(readPrintedShare(textOf(bytes)))),
      normal: (bytes) => plainShare(textOf(bytes)),
    },
    ['mistyped-share'],
  ),
];

const VALUE: CborValue = [
  [-1, 24, 256, 65_536, 2 ** 32, -(2 ** 40), 0.5, 1.1, 2 ** -24],
  ['', 'ü', '😀'],
  { a: null, bb: [true, false], c: {} },
];

/** A signer whose only signature is the one that a wire, which was read, has already. */
function signedBefore(wire: Uint8Array): Signer {
  const [, signature] = decodeCbor(wire, wire.length) as [Uint8Array, Uint8Array];
  return { publicKey: new Uint8Array(32), sign: () => signature };
}

function plainShare(text: string): Uint8Array {
  return bytesOf(text.replaceAll(/[\s-]/g, '').toLowerCase());
}

function written<T>(read: T | null, write: (read: T) => Uint8Array | null): Uint8Array | null {
  return read === null ? null : write(read);
}
