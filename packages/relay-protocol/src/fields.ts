import type { CborValue } from '@keytide/crypto-core';
import { ProtocolError } from './errors.ts';

/** An array of exactly `length` elements. @throws ProtocolError `malformed` */
export function readTuple(value: CborValue | undefined, length: number): readonly CborValue[] {
  const items = readArray(value, length);
  if (items.length !== length) throw new ProtocolError('malformed', `not an array of ${length}`);
  return items;
}

/** An array of at most `most` elements. @throws ProtocolError `malformed` */
export function readArray(value: CborValue | undefined, most: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length > most)
    throw new ProtocolError('malformed', `not an array of up to ${most}`);
  return value as readonly CborValue[];
}

/** A non-negative safe integer. @throws ProtocolError `malformed` */
export function readUint(value: CborValue | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || Object.is(value, -0))
    throw new ProtocolError('malformed', 'not an unsigned integer');
  return value;
}

/** Exactly `sizeBytes` bytes. @throws ProtocolError `malformed` */
export function readExactBytes(value: CborValue | undefined, sizeBytes: number): Uint8Array {
  const bytes = readBytes(value, sizeBytes);
  if (bytes.length !== sizeBytes) throw new ProtocolError('malformed', `not ${sizeBytes} bytes`);
  return bytes;
}

/** A byte string of at most `most` bytes. @throws ProtocolError `malformed`, `too-large` */
export function readBytes(value: CborValue | undefined, most: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ProtocolError('malformed', 'not a byte string');
  if (value.length > most) throw new ProtocolError('too-large', `a byte string over ${most} bytes`);
  return value;
}

/** Text of at most `most` UTF-16 units. @throws ProtocolError `malformed` */
export function readText(value: CborValue | undefined, most: number): string {
  if (typeof value !== 'string' || value.length > most)
    throw new ProtocolError('malformed', `not text of up to ${most} characters`);
  return value;
}
