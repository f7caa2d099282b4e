import { CryptoError, readUint64 } from '@keytide/crypto-core';
import type { Decoder } from './decoder.ts';

/** Length-prefixed bytes: `u64 length ‖ bytes`. */
const GOOD = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3);

function read(input: Uint8Array): Uint8Array {
  if (input.length < 8 || readUint64(input, 0) !== input.length - 8)
    throw new CryptoError('malformed', 'not a length and so many bytes');
  return input.slice();
}

function row(name: string, rewrite: Decoder['rewrite']): Decoder {
  return { name, corpus: () => [GOOD], error: CryptoError, codes: ['malformed'], rewrite };
}

const isOdd = (input: Uint8Array): boolean => input.length > 11;

/** Readers with one fault each, which shows for some mutations only: what the suite must find. */
export const decoders: readonly Decoder[] = [
  row('good', read),
  row('refuses what is good', (input) => {
    if (input.length === GOOD.length) throw new CryptoError('malformed', 'wrongly');
    return read(input);
  }),
  row('throws another error', (input) => {
    if (isOdd(input)) throw new TypeError('undefined is not an object');
    return read(input);
  }),
  row('throws another code', (input) => {
    if (isOdd(input)) throw new CryptoError('too-large', 'not promised');
    return read(input);
  }),
  row('overflows the stack', (input) => {
    const deeper = (depth: number): number => (depth > 0 ? deeper(depth + 1) + 1 : 0);
    return isOdd(input) && deeper(1) > 0 ? null : read(input);
  }),
  row('accepts what it would not write', (input) => (isOdd(input) ? GOOD : read(input))),
  row('believes a length', (input) => {
    const claimed = input.length < 8 ? 0 : (readUint64(input, 0) ?? 0);
    new Uint8Array(Math.min(claimed, 2 ** 24)).fill(1);
    return read(input);
  }),
  row('writes to its input', (input) => {
    if (isOdd(input)) input.fill(0);
    return read(input);
  }),
  row('fills the heap', (input) => {
    const kept: string[][] = [];
    while (isOdd(input)) kept.push(Array.from({ length: 1_000 }, (_, i) => `${i}`));
    return read(input);
  }),
  row('never comes back', (input) => {
    while (isOdd(input)) Math.sqrt(input.length);
    return read(input);
  }),
];
