import { bech32m } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printShare, readPrintedShare, Secret } from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { copy, quorum } from './quorum-world.ts';

const { shares } = await quorum();
const share = shares[0] as Secret;
const printed = printShare(share);
const plain = printed.replaceAll(' ', '');
/** The 32 characters of Bech32, and those it leaves out. */
const CHARACTERS = '023456789ACDEFGHJKLMNPQRSTUVWXYZ1BIO';

function thrownBy(act: () => unknown): Error | null {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  return null;
}

describe('a printed share', () => {
  test('is 29 groups of four that a QR code stores compactly', () => {
    expect(printed).toMatch(/^KTS1( [02-9AC-HJ-NP-Z]{4}){28}$/);
  });
  test('reads back, whatever its case, spaces and hyphens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 66, maxLength: 66 }), (bytes) => {
        const text = printShare(Secret.own(bytes.slice()));
        for (const typed of [
          text,
          text.toLowerCase(),
          text.replaceAll(' ', ''),
          `\n ${text.replaceAll(' ', '-\r\n\t')} `,
        ])
          expect(copy(readPrintedShare(typed))).toEqual(bytes);
      }),
      { numRuns: 30 },
    );
    const mixed = [...printed]
      .map((character, i) => (i % 2 === 0 ? character : character.toLowerCase()))
      .join('');
    expect(copy(readPrintedShare(mixed))).toEqual(copy(share));
  });
  test('any one wrong character is found', () => {
    for (let at = 0; at < plain.length; at += 1)
      for (const character of CHARACTERS) {
        if (plain[at] === character) continue;
        const typed = plain.slice(0, at) + character + plain.slice(at + 1);
        expect(codeOf(() => readPrintedShare(typed))).toBe('mistyped-share');
      }
  });
  test('any two neighbours, and any two groups, that changed places are found', () => {
    const typed = Array.from(
      { length: plain.length - 1 },
      (_, at) => plain.slice(0, at) + plain[at + 1] + plain[at] + plain.slice(at + 2),
    );
    const groups = printed.split(' ');
    for (const [at, group] of groups.slice(1).entries())
      typed.push(
        groups
          .with(at, group)
          .with(at + 1, groups[at] as string)
          .join(''),
      );
    for (const text of typed.filter((other) => other !== plain))
      expect(codeOf(() => readPrintedShare(text))).toBe('mistyped-share');
  });
  test('a character too many or too few is found', () => {
    for (let at = 0; at < plain.length; at += 1) {
      expect(codeOf(() => readPrintedShare(plain.slice(0, at) + plain.slice(at + 1)))).toBe('mistyped-share');
      expect(codeOf(() => readPrintedShare(`${plain.slice(0, at)}Q${plain.slice(at)}`))).toBe(
        'mistyped-share',
      );
    }
  });
  test('what another program printed is refused', () => {
    const other = bech32m.encode('ktx', bech32m.toWords(copy(share)), false);
    expect(codeOf(() => readPrintedShare(other))).toBe('mistyped-share');
    const longer = bech32m.encode('kts', bech32m.toWords(new Uint8Array(67)), false);
    expect(codeOf(() => readPrintedShare(longer))).toBe('mistyped-share');
  });
  test('other text is refused without being quoted', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 200 })), (text) => {
        expect(codeOf(() => readPrintedShare(text))).toBe('mistyped-share');
      }),
    );
    const wrong = `${plain.slice(0, -1)}${plain.endsWith('Q') ? 'P' : 'Q'}`;
    const said = thrownBy(() => readPrintedShare(wrong));
    expect(said).not.toBeNull();
    expect(`${String(said)} ${String(said?.cause)}`.toUpperCase()).not.toContain(plain.slice(20, 30));
    expect(codeOf(() => printShare(Secret.own(new Uint8Array(65))))).toBe('malformed');
  });
});
