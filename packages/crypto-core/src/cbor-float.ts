/** The widths of a CBOR float (RFC 8949 §3.3) in bytes. */
export type FloatBytes = 2 | 4 | 8;

/** The shortest width that keeps `value` exactly, as RFC 8949 §4.2.2 asks of a deterministic encoding. `value` is finite. */
export function floatWidth(value: number): FloatBytes {
  if (halfBits(value) !== null) return 2;
  return Math.fround(value) === value ? 4 : 8;
}

/** The bits of a finite number in IEEE 754 binary16; `null` where that is not exact. */
export function halfBits(value: number): number | null {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) {
    const fraction = size * 2 ** 24;
    return Number.isInteger(fraction) ? sign | fraction : null;
  }
  for (let exponent = -14; exponent <= 15; exponent += 1) {
    if (size >= 2 ** (exponent + 1)) continue;
    const fraction = (size / 2 ** exponent - 1) * 1024;
    return Number.isInteger(fraction) ? sign | ((exponent + 15) << 10) | fraction : null;
  }
  return null;
}

/** The number of IEEE 754 binary16 bits (RFC 8949 appendix D). */
export function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
