/**
 * UTF-8 of a string; `null` for a lone surrogate, which has no encoding (RFC 3629 §3).
 * Our own, because Hermes has no TextEncoder before 2024 and TextEncoder would change the text instead of refusing it.
 */
export function encodeUtf8(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length * 3);
  let used = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.codePointAt(i) as number;
    if (code < 0x80) {
      bytes[used++] = code;
    } else if (code < 0x800) {
      bytes[used++] = 0xc0 | (code >> 6);
      bytes[used++] = 0x80 | (code & 63);
    } else if (code < 0x10000) {
      if (isSurrogate(code)) return null;
      bytes[used++] = 0xe0 | (code >> 12);
      bytes[used++] = 0x80 | ((code >> 6) & 63);
      bytes[used++] = 0x80 | (code & 63);
    } else {
      i += 1;
      bytes[used++] = 0xf0 | (code >> 18);
      bytes[used++] = 0x80 | ((code >> 12) & 63);
      bytes[used++] = 0x80 | ((code >> 6) & 63);
      bytes[used++] = 0x80 | (code & 63);
    }
  }
  return bytes.subarray(0, used);
}

/** The text of UTF-8 bytes; `null` for anything that `encodeUtf8` cannot have made (RFC 3629 §4). */
export function decodeUtf8(bytes: Uint8Array): string | null {
  if (isAscii(bytes)) return textOf(bytes);
  const units = new Uint16Array(bytes.length);
  let used = 0;
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i] as number;
    const sizeBytes = sizeOf(first);
    if (sizeBytes === 0 || i + sizeBytes > bytes.length) return null;
    let code = sizeBytes === 1 ? first : first & (0x7f >> sizeBytes);
    for (let at = i + 1; at < i + sizeBytes; at += 1) {
      const next = bytes[at] as number;
      if ((next & 0xc0) !== 0x80) return null;
      code = (code << 6) | (next & 63);
    }
    if (code < (SMALLEST[sizeBytes] as number) || code > 0x10ffff || isSurrogate(code)) return null;
    if (code < 0x10000) {
      units[used++] = code;
    } else {
      units[used++] = 0xd7c0 + (code >> 10);
      units[used++] = 0xdc00 + (code & 0x3ff);
    }
    i += sizeBytes;
  }
  return textOf(units.subarray(0, used));
}

/** Most texts, and all keys of maps: half the time of the long way. */
function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i += 1) if ((bytes[i] as number) >= 0x80) return false;
  return true;
}

/**
 * The text of UTF-16 units. Piece by piece, as an engine takes so many arguments; and not character by character, of
 * which engines keep a tree that is thirty times as large as the text.
 */
export function textOf(units: Uint8Array | Uint16Array): string {
  let text = '';
  for (let start = 0; start < units.length; start += PIECE) {
    const piece = units.subarray(start, start + PIECE);
    text += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return text;
}

/** UTF-16 units that become text in one call. */
const PIECE = 4096;

/** Bytes of the character that starts with this byte; 0 for a byte that starts none. */
function sizeOf(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/** The first code point that needs this many bytes: a longer form of a smaller one is refused. */
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}
