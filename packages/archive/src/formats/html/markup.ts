import { escapeText } from '../../aggregates/xml.ts';

/** HTML that is safe to put together: made by `markup` and `join` alone. */
export interface Markup {
  readonly safe: string;
}

/** HTML from a template: what is filled in is text, and escaped, unless it is `Markup`. Attributes stand in quotes. */
export function markup(parts: TemplateStringsArray, ...fills: readonly (string | number | Markup)[]): Markup {
  const filled = fills.map((fill) => (typeof fill === 'object' ? fill.safe : escapeText(String(fill))));
  return { safe: parts.map((part, index) => part.replace(/\n\s+/g, '\n') + (filled[index] ?? '')).join('') };
}

/** One after the other. */
export function join(pieces: readonly Markup[]): Markup {
  return { safe: pieces.map(({ safe }) => safe).join('') };
}

/** Nothing. */
export const NONE: Markup = { safe: '' };

/** A name on one line, which re-arranges nothing beside it: what is invisible or turns the direction is U+FFFD. */
export function nameText(name: string): Markup {
  const plain = name.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
  return markup`<bdi>${plain}</bdi>`;
}
