import { concatBytes } from '@keytide/crypto-core';
import { readerOf } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';
import type { ByteStream } from './destination.ts';

/** An envelope of 256 KiB in base64, with what it says beside it. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 10;
/** How much is put together before it is handed on. */
const PIECE_BYTES = 64 * 1024;
// The runtime's own, several times as fast as ours: a log has a million lines.
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One line: JSON without spaces and a newline. JSON escapes what is no Unicode. */
export function encodeLine(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value)}\n`);
}

/** Lines one after the other, as the content of a file. */
export async function* encodeLines(
  values: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const value of values) {
    const line = encodeLine(value);
    pieces.push(line);
    sizeBytes += line.length;
    if (sizeBytes < PIECE_BYTES) continue;
    yield concatBytes(...pieces);
    pieces = [];
    sizeBytes = 0;
  }
  if (pieces.length > 0) yield concatBytes(...pieces);
}

/**
 * Reads JSON lines, one at a time.
 * @throws ArchiveError `malformed` for what is no line, a line over 4 MiB, or a last line without its end
 */
export async function* readLines(bytes: ByteStream): AsyncGenerator<unknown, void, undefined> {
  const reader = readerOf(bytes);
  try {
    while (!(await reader.isAtEnd())) {
      const line = await reader.readUntil(LINE_FEED, MAX_LINE_BYTES);
      if (line === null) throw malformed();
      yield parseLine(line);
    }
  } finally {
    await reader.close();
  }
}

function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(line));
  } catch {
    throw malformed();
  }
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'a line that is not what the specification says');
}
