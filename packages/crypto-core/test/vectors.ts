import { readFileSync } from 'node:fs';
import { fromHex } from '@keytide/crypto-core';

type Vectors = Record<string, readonly Record<string, string>[]>;

const VECTORS = JSON.parse(
  readFileSync(new URL('vectors/primitives.json', import.meta.url), 'utf8'),
) as Vectors;

/** The published cases of one algorithm: a name, and a reader of hex fields. */
export function vectors(algorithm: string): { source: string; bytes: (field: string) => Uint8Array }[] {
  return (VECTORS[algorithm] ?? []).map((fields) => ({
    source: fields['source'] ?? algorithm,
    bytes: (field) => hex(fields[field] ?? 'missing'),
  }));
}

/** Bytes of a hex constant; fails on anything else. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null) throw new Error(`not hex: ${text}`);
  return bytes;
}
