import { toBase64Url, toHex } from '@keytide/crypto-core';

const encoder = new TextEncoder();

/** The ways in which bytes can stand in a file or a log: as they are, in hex, and in base64 at any offset. */
function formsOf(bytes: Uint8Array): Uint8Array[] {
  const hex = toHex(bytes);
  const base64 = [0, 1, 2].flatMap((offset) => {
    const core = base64Core(bytes, offset);
    return [core, core.replaceAll('-', '+').replaceAll('_', '/')];
  });
  return [bytes, ...[hex, hex.toUpperCase(), ...new Set(base64)].map((text) => encoder.encode(text))];
}

/** The base64url characters that depend on `bytes` alone when `offset` other bytes stand before them. */
function base64Core(bytes: Uint8Array, offset: number): string {
  const shifted = new Uint8Array(offset + bytes.length);
  shifted.set(bytes, offset);
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor((shifted.length * 8) / 6);
  return toBase64Url(shifted).slice(first, end);
}

/** What is looked for, by a name that may be printed. */
export type Needles = ReadonlyMap<string, Uint8Array>;

/** The names of those needles of which any form stands in `haystack`. A form has at least 3 bytes. */
export function findHidden(haystack: Uint8Array, needles: Needles): string[] {
  const byStart = new Map<number, { name: string; form: Uint8Array }[]>();
  const isStart = new Uint8Array(2 ** 24);
  for (const [name, bytes] of needles) {
    for (const form of formsOf(bytes)) {
      if (form.length < 3) throw new RangeError(`${name} is too short to be looked for`);
      const start = startAt(form, 0);
      isStart[start] = 1;
      byStart.set(start, [...(byStart.get(start) ?? []), { name, form }]);
    }
  }
  const found = new Set<string>();
  for (let at = 0; at + 2 < haystack.length; at += 1) {
    const start = startAt(haystack, at);
    if (isStart[start] === 0) continue;
    for (const { name, form } of byStart.get(start) ?? []) {
      if (form.every((byte, i) => haystack[at + i] === byte)) found.add(name);
    }
  }
  return [...found];
}

function startAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}
