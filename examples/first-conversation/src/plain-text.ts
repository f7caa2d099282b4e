import { stripVTControlCharacters } from 'node:util';

/** What others wrote, as it may stand on this terminal without steering it. */
export function plainText(text: unknown): string {
  return stripVTControlCharacters(String(text)).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}
