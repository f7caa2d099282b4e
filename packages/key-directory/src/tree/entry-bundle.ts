import { concatBytes } from '@keytide/crypto-core';
import { MAX_ENTRY_BYTES } from '../entry.ts';
import { DirectoryError } from '../errors.ts';
import { TILE_WIDTH } from './tile.ts';

/**
 * 1 to 256 wires as one byte string, each after its length in two bytes, big-endian (C2SP tlog-tiles).
 * @throws DirectoryError `too-large` for a wire of more than 65,535 bytes, `malformed` for a wrong count
 */
export function entryBundle(wires: readonly Uint8Array[]): Uint8Array {
  if (wires.length === 0 || wires.length > TILE_WIDTH) throw malformed();
  const parts: Uint8Array[] = [];
  for (const wire of wires) {
    if (wire.length > MAX_ENTRY_BYTES)
      throw new DirectoryError('too-large', `a bundled entry has at most ${MAX_ENTRY_BYTES} bytes`);
    parts.push(Uint8Array.of(wire.length >> 8, wire.length & 0xff), wire);
  }
  return concatBytes(...parts);
}

/** The wires of a bundle of exactly `width` entries. @throws DirectoryError `malformed` */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) throw malformed();
  const wires: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + 2;
    at = start + (((bytes[at] as number) << 8) | (bytes[at + 1] as number));
    if (at > bytes.length) throw malformed();
    wires.push(bytes.slice(start, at));
  }
  if (wires.length !== width) throw malformed();
  return wires;
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not a bundle of this many entries');
}
