/**
 * Characters that move the cursor, colour, hide, or turn the reading direction around: control characters
 * (C0, DEL, C1), bidirectional marks, embeddings, overrides and isolates, line and paragraph separators,
 * interlinear marks, the byte order mark, tag characters, and halves of surrogate pairs. Joiners stay: scripts
 * and emoji need them.
 */
const DANGEROUS =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** One line that a terminal shows as it is, from text that somebody else wrote. Tabs and line ends become spaces. */
export function terminalText(text: string): string {
  return text.replace(/\r\n|[\t\r\n]/g, ' ').replace(DANGEROUS, '\u{fffd}');
}

/** The lines of a text of several lines, each as `terminalText`. */
export function terminalLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/).map(terminalText);
}

/** One line of JSON in which the same characters are written as escapes, so that nothing is lost. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(DANGEROUS, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
