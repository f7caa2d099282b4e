import { toBase64 } from './base64.ts';
import { encodeUtf8 } from '@keytide/crypto-core';

/** An encoded word has at most 75 characters (RFC 2047 §2), 12 of them its frame: 45 bytes are 60 of base64. */
const WORD_BYTES = 45;
/** A line of a parameter, well below 78 characters. */
const PARAMETER_UNITS = 50;

/** Text as encoded words, each on a line of its own: no character of it can end a header. */
export function encodedWords(text: string): string {
  const words: string[] = [];
  let word = '';
  let sizeBytes = 0;
  for (const character of text) {
    const size = utf8(character).length;
    if (sizeBytes + size > WORD_BYTES) {
      words.push(word);
      word = '';
      sizeBytes = 0;
    }
    word += character;
    sizeBytes += size;
  }
  if (word !== '' || words.length === 0) words.push(word);
  return words.map((each) => `\r\n =?UTF-8?B?${toBase64(utf8(each))}?=`).join('');
}

/** A parameter of a header, in pieces, percent-encoded (RFC 2231 §3 and §4). */
export function parameter(name: string, value: string): string {
  const encoded = Array.from(utf8(value), percent);
  const pieces: string[] = [''];
  for (const unit of encoded) {
    const last = pieces.length - 1;
    if ((pieces[last] as string).length + unit.length > PARAMETER_UNITS) pieces.push(unit);
    else pieces[last] += unit;
  }
  return pieces
    .map((piece, index) => `;\r\n ${name}*${index}*=${index === 0 ? "UTF-8''" : ''}${piece}`)
    .join('');
}

function percent(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(character)
    ? character
    : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function utf8(text: string): Uint8Array {
  return encodeUtf8(text) as Uint8Array;
}
