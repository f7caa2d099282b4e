import { encodeUtf8 } from '@keytide/crypto-core';
import { ArchiveError } from '../errors.ts';

/** UTF-16 units that are put together before they are handed on. */
const PIECE_UNITS = 32 * 1024;

/** Texts one after the other, as the content of a file in UTF-8. @throws ArchiveError `malformed` for lone surrogates */
export async function* textPieces(
  texts: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let piece = '';
  for await (const text of texts) {
    piece += text;
    while (piece.length >= PIECE_UNITS) {
      // Not between the halves of a surrogate pair.
      const end = /[\ud800-\udbff]/.test(piece.charAt(PIECE_UNITS - 1)) ? PIECE_UNITS + 1 : PIECE_UNITS;
      yield utf8(piece.slice(0, end));
      piece = piece.slice(end);
    }
  }
  if (piece !== '') yield utf8(piece);
}

/** @throws ArchiveError `malformed` for lone surrogates */
function utf8(text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes === null) throw new ArchiveError('malformed', 'text that is no Unicode');
  return bytes;
}
