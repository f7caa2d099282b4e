import { asciiBytes, readUint64, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  logSignature,
  noteKeyText,
  parseCheckpointText,
  parseNote,
  parseNoteKey,
  verifyNote,
} from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { cosignedBytes } from '../../src/note/cosignature.ts';
import { codeFrom } from '../forge.ts';
import notes from '../vectors/notes.json' with { type: 'json' };
import tlog from '../vectors/tlog.json' with { type: 'json' };

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const signer = (seed: number): Signer => primitives.signer(new Uint8Array(32).fill(seed));

describe('golang.org/x/mod/sumdb/note', () => {
  test.each(notes.notes)('$reason', ({ note, keys, outcome, verified, unknown }) => {
    const read = (): ReturnType<typeof verifyNote> =>
      verifyNote(
        primitives,
        parseNote(utf8(note)),
        keys.map((key) => parseNoteKey(primitives, key)),
      );
    expect(codeFrom(read)).toBe(outcome === 'ok' ? null : outcome);
    if (outcome !== 'ok') return;
    expect(read().verified.map(({ key }) => key.name)).toEqual(verified);
    expect(read().unknown).toBe(unknown);
  });

  test('a byte that is not UTF-8', () => {
    const note = utf8(notes.notes[0]?.note as string);
    expect(codeFrom(() => parseNote(Uint8Array.of(0xff, ...note)))).toBe('malformed');
  });

  test('a key is read in one form only', () => {
    const { key } = notes;
    expect(noteKeyText(primitives, parseNoteKey(primitives, key))).toBe(key);
    const code = (text: string): string | null => codeFrom(() => parseNoteKey(primitives, text));
    for (let start = 0; start <= key.length; start += 1) {
      for (let end = start + 1; end <= key.length; end += 1)
        if (end - start < key.length) expect(code(key.slice(start, end))).toBe('malformed');
    }
    for (let i = 0; i < key.length; i += 1) {
      const next = String.fromCharCode(key.charCodeAt(i) + 1);
      expect(code(key.slice(0, i) + next + key.slice(i + 1))).toBe('malformed');
    }
    expect(code(key.replace('c74f20a3', 'C74F20A3'))).toBe('malformed');
  });

  test.each(notes.badKeys)('$reason', ({ key }) => {
    expect(codeFrom(() => parseNoteKey(primitives, key))).toBe('malformed');
  });
});

describe('the example notes of C2SP', () => {
  test.each(notes.examples)('$source', ({ note, text, names, signed }) => {
    const read = parseNote(utf8(note));
    expect(read.text).toBe(text);
    expect(read.bytes).toEqual(utf8(text));
    expect(read.signatures.map(({ name }) => name)).toEqual(names);
    if (signed === undefined) return;
    const { origin, size, mapRoot } = parseCheckpointText(read.text);
    expect([origin, size, mapRoot]).toEqual(['example.com/behind-the-sofa', 20852163, null]);
    const timeSeconds = readUint64(read.signatures[1]?.signature as Uint8Array, 0) as number;
    expect(cosignedBytes(read.bytes, timeSeconds)).toEqual(utf8(signed));
  });
});

describe('notes made by Go', () => {
  test.each(tlog.notes)(
    'are made byte for byte, and verified',
    ({ logKey, logSeed, text, signed, cosigners }) => {
      const checkpoint = parseCheckpointText(text);
      expect(checkpointText(checkpoint)).toBe(text);
      const ours = logSignature(primitives, signer(logSeed), checkpoint);
      expect(assembleNote(text, [ours])).toEqual(utf8(signed));

      const note = parseNote(utf8(signed + cosigners.map(({ line }) => line).join('')));
      const keys = [logKey, ...cosigners.map(({ key }) => key)].map((key) => parseNoteKey(primitives, key));
      expect(verifyNote(primitives, note, keys)).toEqual({
        verified: keys.map((key, i) => ({ key, timeSeconds: cosigners[i - 1]?.time ?? null })),
        unknown: 0,
      });
      for (const { seed, time, line } of cosigners) {
        const made = signer(seed).sign(cosignedBytes(asciiBytes(text), time));
        expect(parseNote(utf8(`${text}\n${line}`)).signatures[0]?.signature.slice(8)).toEqual(made);
      }
    },
  );
});
