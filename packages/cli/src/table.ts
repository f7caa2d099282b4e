import { characterWidth, displayWidth } from './display-width.ts';
import { terminalText } from './terminal-text.ts';

/** A column: its heading, and how wide it may become, in columns of the terminal. */
export interface TableColumn {
  readonly heading: string;
  readonly maxWidth: number;
}

/** Rows as aligned lines under headings; what is too long ends in `…`. Cells may hold anybody's text. */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const cut = [columns.map(({ heading }) => heading), ...rows].map((row) =>
    columns.map(({ maxWidth }, i) => shorten(terminalText(row[i] ?? ''), maxWidth)),
  );
  const widths = columns.map((_, i) => Math.max(...cut.map((row) => displayWidth(row[i] as string))));
  return cut.map((row) =>
    row
      .map((cell, i) => cell + ' '.repeat((widths[i] as number) - displayWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}

function shorten(text: string, maxWidth: number): string {
  if (displayWidth(text) <= maxWidth) return text;
  let short = '';
  let width = 1;
  for (const character of text) {
    width += characterWidth(character);
    if (width > maxWidth) break;
    short += character;
  }
  return `${short}…`;
}
