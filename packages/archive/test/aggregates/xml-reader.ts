/** An element as it was read; text is a string. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: (XmlElement | string)[];
}

/**
 * Reads the XML that there may be in a chart: elements, attributes and numeric references, and nothing else. Strict
 * where a browser's parser is: a stray `<`, `&` or quote, an attribute twice, a wrong end or a character that XML
 * does not have is an error.
 */
export function readXml(text: string): XmlElement {
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text))
    throw new Error('no XML character');
  const open: XmlElement[] = [{ name: '', attributes: {}, content: [] }];
  const token = /<\/([a-zA-Z]+)>|<([a-zA-Z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)>|([^<]+)/gy;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const [, end, start, attributes = '', characters] = token.exec(text) ?? [];
    const within = open.at(-1) as XmlElement;
    if (characters !== undefined) within.content.push(plain(characters));
    else if (start !== undefined) {
      const element = { name: start, attributes: attributesOf(attributes), content: [] };
      within.content.push(element);
      open.push(element);
    } else if (end === undefined || open.pop()?.name !== end) throw new Error(`not well-formed at ${at}`);
  }
  const [root, ...more] = open[0]?.content ?? [];
  if (open.length !== 1 || root === undefined || typeof root === 'string' || more.length > 0)
    throw new Error('not one element');
  return root;
}

function attributesOf(written: string): Record<string, string> {
  const pairs = [...written.matchAll(/ ([a-zA-Z0-9-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
    name,
    plain(value),
  ]);
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Error('an attribute twice');
  return Object.fromEntries(pairs);
}

function plain(written: string): string {
  if (/&(?!#\d+;)/.test(written)) throw new Error('a stray ampersand');
  return written.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

/** The element and all in it, in the order of their beginnings. */
export function elementsIn(element: XmlElement): XmlElement[] {
  return [
    element,
    ...element.content.flatMap((child) => (typeof child === 'string' ? [] : elementsIn(child))),
  ];
}

/** All text in an element. */
export function textIn(element: XmlElement): string {
  return element.content.map((child) => (typeof child === 'string' ? child : textIn(child))).join('');
}
