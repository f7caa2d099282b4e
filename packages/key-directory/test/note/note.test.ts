import {
  asciiBytes,
  concatBytes,
  deviceIdOf,
  labelled,
  orgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  deviceNoteKey,
  deviceNoteName,
  logNoteKey,
  logSignature,
  noteKeyText,
  parseNoteKey,
  MAX_NOTE_BYTES,
  orgOf,
  originOf,
  parseCheckpointText,
  parseNote,
  verifyNote,
  witnessesOf,
  type LogCheckpoint,
  type NoteKey,
  type NoteSignature,
} from '@keytide/key-directory';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cosignedBytes } from '../../src/note/cosignature.ts';
import { codeFrom } from '../forge.ts';

const NOW = 1_767_225_600;
const ORG = orgId('ab'.repeat(32));
const CHECKPOINT: LogCheckpoint = {
  origin: originOf(ORG),
  size: 42,
  root: new Uint8Array(32).fill(1),
  mapRoot: new Uint8Array(32).fill(2),
};
const TEXT = checkpointText(CHECKPOINT);
const signer = (seed: number): Signer => primitives.signer(new Uint8Array(32).fill(seed));
const device = (seed: number): NoteKey => deviceNoteKey(primitives, signer(seed).publicKey);
const signed = (seed: number, timeSeconds = NOW): NoteSignature =>
  cosignature(primitives, signer(seed), CHECKPOINT, timeSeconds);
const noteOf = (...signatures: NoteSignature[]): ReturnType<typeof parseNote> =>
  parseNote(assembleNote(TEXT, signatures));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const readCode = (note: Uint8Array): string | null => codeFrom(() => parseNote(note));

describe('a note', () => {
  const line = new TextDecoder().decode(assembleNote(TEXT, [signed(1)]).slice(TEXT.length + 1));

  test.each([
    ['CRLF', `${TEXT}\n${line}`.replaceAll('\n', '\r\n')],
    ['a tab', `a\tb\n\n${line}`],
    ['a zero byte', `a\0b\n\n${line}`],
    ['no empty line', `${TEXT}${line}`],
    ['bytes after the last line', `${TEXT}\n${line}x`],
    ['an empty line at the end', `${TEXT}\n${line}\n`],
    ['a hyphen in place of the dash', `${TEXT}\n${line.replace('—', '-')}`],
    ['two spaces', `${TEXT}\n${line.replace(' keytide', '  keytide')}`],
    ['no name', `${TEXT}\n— ${line.split(' ')[2]}`],
    ['a name with a plus sign', `${TEXT}\n${line.replace('keytide', 'key+tide')}`],
    ['a name with a no-break space', `${TEXT}\n${line.replace('keytide', 'key\u00a0tide')}`],
    ['a name with an ideographic space', `${TEXT}\n${line.replace('keytide', 'key\u3000tide')}`],
    ['base64 without its padding', `${TEXT}\n— a AAAAAAE\n`],
    ['base64 with left-over bits', `${TEXT}\n— a AAAAAAF=\n`],
    ['base64url', `${TEXT}\n— a AAAAAA-_\n`],
    ['an id and no signature', `${TEXT}\n— a AAAAAA==\n`],
    ['only a newline', '\n'],
    ['nothing', ''],
  ])('with %s is refused', (_, note) => {
    expect(readCode(utf8(note))).toBe('malformed');
  });

  test('is refused with bytes that are not UTF-8, in the text and in a name', () => {
    for (const at of [3, TEXT.length + 8]) {
      const note = assembleNote(TEXT, [signed(1)]);
      note[at] = 0xff;
      expect(readCode(note)).toBe('malformed');
    }
  });

  test('is read up to its limit', () => {
    const long = (sizeBytes: number): Uint8Array => {
      const tail = utf8(`\n\n${line}`);
      return concatBytes(new Uint8Array(sizeBytes - tail.length).fill(0x61), tail);
    };
    expect(readCode(long(MAX_NOTE_BYTES))).toBe(null);
    expect(readCode(long(MAX_NOTE_BYTES + 1))).toBe('too-large');
  });

  test('has the text before the last empty line, and its very bytes are signed', () => {
    const read = parseNote(utf8(`a\n\n— b\n\n${line}`));
    expect(read.text).toBe('a\n\n— b\n');
    expect(read.bytes).toEqual(utf8(read.text));
    expect(read.signatures).toHaveLength(1);
  });

  test('is not written in a form that would not be read', () => {
    const { name, keyId, signature } = signed(1);
    for (const bad of ['', 'a b', 'a+b', 'a\nb'])
      expect(codeFrom(() => assembleNote(TEXT, [{ name: bad, keyId, signature }]))).toBe('malformed');
    expect(codeFrom(() => assembleNote(TEXT, []))).toBe('malformed');
    expect(name).toBe(deviceNoteName(deviceIdOf(primitives, signer(1).publicKey)));
  });
});

describe('the text of a checkpoint', () => {
  const root = 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=';
  const map = `keytide-map/v1 ${root}`;

  test('is read back', () => {
    expect(parseCheckpointText(TEXT)).toEqual(CHECKPOINT);
    const bare = { ...CHECKPOINT, mapRoot: null, origin: 'example.com/log' };
    expect(parseCheckpointText(checkpointText(bare))).toEqual(bare);
    expect(parseCheckpointText(`o\n0\n${root}\nsomething else\n${map}\n`).mapRoot).toEqual(CHECKPOINT.root);
  });

  test.each([
    ['two lines', `o\n1\n`],
    ['no newline at the end', `o\n1\n${root}`],
    ['no newline after the map', `o\n1\n${root}\n${map}`],
    ['an empty origin', `\n1\n${root}\n`],
    ['an empty line', `o\n1\n${root}\n\n${map}\n`],
    ['a leading zero', `o\n01\n${root}\n`],
    ['a sign', `o\n+1\n${root}\n`],
    ['a fraction', `o\n1.0\n${root}\n`],
    ['a size in hexadecimal', `o\n0x1\n${root}\n`],
    ['a size with a space', `o\n1 \n${root}\n`],
    ['a size above 2^53', `o\n9007199254740992\n${root}\n`],
    ['a root of 31 bytes', `o\n1\n${'A'.repeat(41)}E=\n`.replace('E=', '==')],
    ['a root of 33 bytes', `o\n1\n${'A'.repeat(44)}\n`],
    ['a root without padding', `o\n1\n${root.slice(0, -1)}\n`],
    ['left-over bits in the root', `o\n1\n${root.replace('QE=', 'QF=')}\n`],
    ['two maps', `o\n1\n${root}\n${map}\n${map}\n`],
    ['a map that is none', `o\n1\n${root}\nkeytide-map/v1 AAAA\n`],
  ])('with %s is refused', (_, text) => {
    expect(codeFrom(() => parseCheckpointText(text))).toBe('malformed');
  });

  test('is not written from what could not be read back, so no device signs it', () => {
    const bad: Partial<LogCheckpoint>[] = [
      { origin: '' },
      { origin: 'a\nb' },
      { origin: 'ü' },
      { origin: 'a\0' },
      { size: -1 },
      { size: 0.5 },
      { size: 2 ** 53 },
      { size: Number.NaN },
      { root: new Uint8Array(31) },
      { mapRoot: new Uint8Array(33) },
    ];
    for (const other of bad) {
      const checkpoint = { ...CHECKPOINT, ...other };
      expect(codeFrom(() => cosignature(primitives, signer(1), checkpoint, NOW))).toBe('malformed');
      expect(codeFrom(() => logSignature(primitives, signer(1), checkpoint))).toBe('malformed');
    }
    for (const time of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(codeFrom(() => cosignature(primitives, signer(1), CHECKPOINT, time))).toBe('malformed');
  });

  test('names its organisation, or none', () => {
    expect(orgOf(originOf(ORG))).toBe(ORG);
    for (const origin of [
      'example.com/log',
      `keytide-log/v1/${'AB'.repeat(32)}`,
      `${originOf(ORG)}0`,
      `x${originOf(ORG)}`,
    ])
      expect(orgOf(origin)).toBe(null);
  });
});

describe('a key for notes', () => {
  test('is read back, with the type and the length that belong to it', () => {
    const key = device(1);
    const text = noteKeyText(primitives, key);
    expect(parseNoteKey(primitives, text)).toEqual(key);
    const [name, id, encoded] = text.split('+') as [string, string, string];
    for (const type of [0, 2, 5, 255]) {
      const bytes = Buffer.from(encoded, 'base64');
      bytes[0] = type;
      const other = `${name}+${id}+${bytes.toString('base64')}`;
      expect(codeFrom(() => parseNoteKey(primitives, other))).toBe('malformed');
    }
    for (const publicKey of [key.publicKey.slice(1), Uint8Array.of(...key.publicKey, 0)])
      expect(codeFrom(() => noteKeyText(primitives, { ...key, publicKey }))).toBe('malformed');
  });
});

describe('signatures', () => {
  const log = logNoteKey(CHECKPOINT.origin, signer(9).publicKey);
  const byLog = logSignature(primitives, signer(9), CHECKPOINT);

  test('of known keys are verified, of others counted', () => {
    const note = noteOf(byLog, signed(1, NOW), signed(2, NOW - 5));
    const { verified, unknown } = verifyNote(primitives, note, [log, device(2)]);
    expect(verified).toEqual([
      { key: log, timeSeconds: null },
      { key: device(2), timeSeconds: NOW - 5 },
    ]);
    expect(unknown).toBe(1);
  });

  test('by another key under a known name are ignored; with its id too they spoil the note', () => {
    const other = signed(2);
    const { name, keyId } = signed(1);
    expect(verifyNote(primitives, noteOf({ ...other, name }), [device(1)])).toEqual({
      verified: [],
      unknown: 1,
    });
    expect(verifyNote(primitives, noteOf({ ...other, keyId }), [device(1)])).toEqual({
      verified: [],
      unknown: 1,
    });
    const note = noteOf(signed(1), { ...other, name, keyId });
    expect(codeFrom(() => verifyNote(primitives, note, [device(1)]))).toBe('bad-signature');
  });

  test('hold for this text and this time only', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, isLog) => {
        const made = isLog ? byLog : signed(1);
        const signature = made.signature.slice();
        signature[at % signature.length] = (signature[at % signature.length] as number) ^ change;
        const note = noteOf({ ...made, signature });
        expect(codeFrom(() => verifyNote(primitives, note, [isLog ? log : device(1)]))).toBe('bad-signature');
        const text = checkpointText({ ...CHECKPOINT, size: 43 + (at % 1000) });
        const moved = parseNote(assembleNote(text, [made]));
        expect(codeFrom(() => verifyNote(primitives, moved, [isLog ? log : device(1)]))).toBe(
          'bad-signature',
        );
      }),
      { numRuns: 60, seed: 1 },
    );
    for (const signature of [
      new Uint8Array(1),
      signed(1).signature.slice(0, 71),
      Uint8Array.of(...signed(1).signature, 0),
    ]) {
      const note = noteOf({ ...signed(1), signature });
      expect(codeFrom(() => verifyNote(primitives, note, [device(1)]))).toBe('bad-signature');
    }
  });

  test('are not of the other kind: a cosignature is no signature of the log, and the other way round', () => {
    const asLog: NoteKey = { ...device(1), type: 'signature' };
    const bare = signer(1).sign(asciiBytes(TEXT));
    const note = noteOf({ ...signed(1), signature: concatBytes(new Uint8Array(8), bare) });
    expect(codeFrom(() => verifyNote(primitives, note, [device(1)]))).toBe('bad-signature');
    expect(verifyNote(primitives, noteOf(signed(1)), [asLog]).unknown).toBe(1);
  });

  test('by a key that is none are refused, not ignored', () => {
    const smallOrder = { ...device(1), publicKey: new Uint8Array(32) };
    const { keyId } = cosignatureOf(smallOrder);
    const note = noteOf({ ...signed(1), keyId });
    expect(codeFrom(() => verifyNote(primitives, note, [smallOrder]))).toBe('bad-key');
    expect(codeFrom(() => verifyNote(primitives, note, [{ ...device(1), name: 'a b' }]))).toBe('malformed');
  });

  test('of two keys whose name and id agree are each tried', () => {
    // Two such keys take 2^32 attempts to find, so here the ids of all keys are one.
    const colliding: Primitives = {
      ...primitives,
      sha256: (data) => (data[7] === 0x0a ? new Uint8Array(32) : primitives.sha256(data)),
    };
    const keys = [1, 2].map((seed) => ({ ...device(seed), name: 'witness' }));
    const note = noteOf(...[2, 1].map((seed) => ({ ...signed(seed), name: 'witness', keyId: 0 })));
    expect(verifyNote(colliding, note, keys).verified.map(({ key }) => key)).toEqual(keys.toReversed());
    const bare = [2, 1].map((seed) => {
      return { name: 'witness', keyId: 0, signature: signer(seed).sign(asciiBytes(TEXT)) };
    });
    const bareKeys = keys.map((key): NoteKey => ({ ...key, type: 'signature' }));
    const found = verifyNote(colliding, noteOf(...bare), bareKeys).verified;
    expect(found.map(({ key }) => key)).toEqual(bareKeys.toReversed());
    const other = noteOf({ ...signed(3), name: 'witness', keyId: 0 });
    expect(codeFrom(() => verifyNote(colliding, other, keys))).toBe('bad-signature');
  });

  function cosignatureOf(key: NoteKey): { keyId: number } {
    const hash = primitives.sha256(concatBytes(asciiBytes(`${key.name}\n`), Uint8Array.of(4), key.publicKey));
    return { keyId: new DataView(hash.buffer, hash.byteOffset).getUint32(0) };
  }
});

test('no byte string is both a cosignature and what a device signs otherwise', () => {
  const source = readFileSync(new URL('../../../crypto-core/src/labels.ts', import.meta.url), 'utf8');
  const labels = Array.from(source.matchAll(/: '([^']+)',/g), ([, label]) => label as string);
  expect(labels.length).toBeGreaterThan(30);
  expect(labels.filter((label) => !label.startsWith('keytide/v1/'))).toEqual([]);
  const cosigned = new TextDecoder().decode(cosignedBytes(asciiBytes(TEXT), NOW));
  expect(cosigned.split('\n').slice(0, 3)).toEqual(['cosignature/v1', `time ${NOW}`, CHECKPOINT.origin]);
  // The log's own signature has no first line of its own: a labelled text has a zero byte, and no note has one.
  expect(labelled('login', new Uint8Array(32))).toContain(0);
  expect(asciiBytes(TEXT)).not.toContain(0);
});

describe('a witness policy', () => {
  const policy = { keys: [device(1), device(2), device(3)], threshold: 2, maxAgeSeconds: 100 };
  const verdict = (note: ReturnType<typeof noteOf>, other: Partial<typeof policy> = {}): unknown => {
    const { cosigned, isMet } = witnessesOf(primitives, note, { ...policy, ...other }, NOW);
    return [cosigned.map(({ key, timeSeconds }) => [key.name, timeSeconds - NOW]), isMet];
  };
  const name = (seed: number): string => device(seed).name;

  test('is met by enough different witnesses', () => {
    expect(verdict(noteOf(signed(1), signed(3)))).toEqual([
      [
        [name(1), 0],
        [name(3), 0],
      ],
      true,
    ]);
    expect(verdict(noteOf(signed(1), signed(4)))).toEqual([[[name(1), 0]], false]);
  });

  test('counts a witness once, with its newest time, under whatever names', () => {
    expect(verdict(noteOf(signed(1, NOW - 9), signed(1), signed(1, NOW - 4)))).toEqual([
      [[name(1), 0]],
      false,
    ]);
    const alias = { ...device(1), name: 'alias' };
    const hash = primitives.sha256(concatBytes(asciiBytes('alias\n'), Uint8Array.of(4), alias.publicKey));
    const aliased = {
      ...signed(1),
      name: 'alias',
      keyId: new DataView(hash.buffer, hash.byteOffset).getUint32(0),
    };
    const keys = [...policy.keys, alias];
    expect(verdict(noteOf(signed(1), aliased), { keys })).toEqual([[[name(1), 0]], false]);
  });

  test('looks at the age, and an hour ahead at most', () => {
    expect(verdict(noteOf(signed(1, NOW - 100), signed(2, NOW - 101)))).toEqual([[[name(1), -100]], false]);
    expect(verdict(noteOf(signed(1, NOW + 3600), signed(2, NOW + 3601)))).toEqual([[[name(1), 3600]], false]);
  });

  test('does not count the log itself, and asks for somebody', () => {
    const log = logNoteKey(CHECKPOINT.origin, signer(9).publicKey);
    const note = noteOf(logSignature(primitives, signer(9), CHECKPOINT), signed(1));
    expect(verdict(note, { keys: [log, device(1)] })).toEqual([[[name(1), 0]], false]);
    for (const threshold of [0, -1, 0.5, Number.NaN])
      expect(codeFrom(() => witnessesOf(primitives, note, { ...policy, threshold }, NOW))).toBe('malformed');
  });
});
