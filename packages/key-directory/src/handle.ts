import { DirectoryError } from './errors.ts';

const MAX_CHARACTERS = 64;

/**
 * What a handle must not hold, because it is invisible or re-arranges what stands around it on a screen or
 * in a terminal. Fixed code points, not Unicode properties: the verdict on an entry must not depend on the
 * Unicode version of whoever replays the log.
 */
const FORBIDDEN: readonly (readonly [from: number, to: number])[] = [
  [0x0000, 0x001f], // controls, escape sequences among them
  [0x007f, 0x00a0], // delete, C1 controls, no-break space
  [0x00ad, 0x00ad], // soft hyphen
  [0x034f, 0x034f], // combining grapheme joiner
  [0x061c, 0x061c], // Arabic letter mark
  [0x115f, 0x1160], // Hangul fillers
  [0x1680, 0x1680], // Ogham space
  [0x180b, 0x180f], // Mongolian selectors and vowel separator
  [0x2000, 0x200b], // spaces of all widths, and none
  [0x200e, 0x200f], // direction marks
  [0x2028, 0x202f], // line and paragraph separators, direction embeddings and overrides, narrow space
  [0x205f, 0x206f], // more spaces, invisible operators, direction isolates
  [0x2800, 0x2800], // empty Braille pattern
  [0x3000, 0x3000], // ideographic space
  [0x3164, 0x3164], // Hangul filler
  [0xd800, 0xf8ff], // lone surrogates, private use
  [0xfdd0, 0xfdef], // noncharacters
  [0xfeff, 0xfeff], // byte order mark
  [0xffa0, 0xffa0], // half-width Hangul filler
  [0xfff0, 0xffff], // interlinear marks, replacement character, noncharacters
  [0xe0000, 0x10ffff], // tags, variation selectors, private use
];

/** Zero-width (non-)joiners are spelling in many scripts, but not beside Latin letters, digits or signs. */
const STRAY_JOINER = /^[\u200c\u200d]|[ -\u02ff][\u200c\u200d]|[\u200c\u200d](?:[ -\u02ff]|$)/u;

/**
 * Checks a member's displayed name by the rules of the log: 1 to 64 characters (code points), none of them
 * invisible or direction-changing, no space at either end.
 * @throws DirectoryError `bad-handle`
 */
export function assertHandle(handle: string): void {
  const characters = Array.from(handle, (character) => character.codePointAt(0) as number);
  if (characters.length === 0 || characters.length > MAX_CHARACTERS) throw bad('has 1 to 64 characters');
  if (handle.startsWith(' ') || handle.endsWith(' ')) throw bad('neither starts nor ends with a space');
  if (characters.some(isForbidden) || STRAY_JOINER.test(handle))
    throw bad('holds no invisible or direction-changing characters');
}

/**
 * Whether a handle is in Unicode normalisation form C. Asked by whoever writes or appends an entry, never
 * by replay: an old and a new runtime may disagree about characters that are young.
 */
export function isNormalisedHandle(handle: string): boolean {
  return handle.normalize('NFC') === handle;
}

function isForbidden(character: number): boolean {
  return FORBIDDEN.some(([from, to]) => character >= from && character <= to);
}

function bad(rule: string): DirectoryError {
  return new DirectoryError('bad-handle', `a handle ${rule}`);
}
