import type { CborValue } from './cbor.ts';
import { CryptoError } from './errors.ts';

/** Field checks shared by this package's parsers; each throws CryptoError `malformed`, naming the field. */

export function readArray(value: CborValue | undefined, name: string, length?: number): readonly CborValue[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) throw wrong(name);
  return value as readonly CborValue[];
}

export function readBytes(value: CborValue | undefined, name: string, sizeBytes?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (sizeBytes !== undefined && value.length !== sizeBytes))
    throw wrong(name);
  return value;
}

export function readUint(
  value: CborValue | undefined,
  name: string,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max)
    throw wrong(name);
  return value;
}

export function readBoolean(value: CborValue | undefined, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(name);
  return value;
}

export function readText(value: CborValue | undefined, name: string, maxLength: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) throw wrong(name);
  return value;
}

/** Reads a version or suite number that this build must know. @throws CryptoError `unsupported-version` */
export function readKnown(value: CborValue | undefined, name: string, known: number): void {
  if (readUint(value, name) !== known) throw new CryptoError('unsupported-version', `unknown ${name}`);
}

function wrong(name: string): CryptoError {
  return new CryptoError('malformed', `${name} is not what the specification says`);
}
