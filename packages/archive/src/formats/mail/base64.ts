import { base64 } from '@scure/base';
import type { ByteStream } from '../../container/destination.ts';
import { readerOf } from '../../byte-reader.ts';

/** 76 characters (RFC 2045 §6.8). */
const LINE_BYTES = 57;
const LINES_AT_ONCE = 512;

/** With padding. */
export function toBase64(bytes: Uint8Array): string {
  return base64.encode(bytes);
}

/** Content in lines of base64, each with its end. */
export async function* base64Lines(content: ByteStream): AsyncGenerator<string, void, undefined> {
  const reader = readerOf(content);
  while (!(await reader.isAtEnd())) {
    const bytes = await reader.read(LINE_BYTES * LINES_AT_ONCE);
    let lines = '';
    for (let at = 0; at < bytes.length; at += LINE_BYTES)
      lines += `${toBase64(bytes.subarray(at, at + LINE_BYTES))}\r\n`;
    yield lines;
  }
}
