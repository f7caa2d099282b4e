import { htmlPages, type OpenedEntry } from '@keytide/archive/formats';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { attachmentName } from '../../src/formats/attachment-name.ts';
import { STYLE, STYLE_SHA256 } from '../../src/formats/html/frame.ts';
import { bytesOf, change, chat, logOf, message, unreadable } from './entries.ts';

async function pagesOf(entries: readonly OpenedEntry[]): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for await (const { name, content } of htmlPages(() => entries, { title: 'Harbour' }))
    pages.set(name, (await bytesOf(content)).toString());
  return pages;
}

describe('pages', () => {
  test('let in their own style and nothing else', async () => {
    expect(createHash('sha256').update(STYLE).digest('base64')).toBe(STYLE_SHA256);
    const policy = `default-src 'none'; style-src 'sha256-${STYLE_SHA256}'; base-uri 'none'; form-action 'none'`;
    const pages = await pagesOf(logOf({ content: chat(1, { text: 'a' }) }));
    expect(pages.size).toBe(2);
    for (const page of pages.values()) expect(page.replaceAll('&#39;', "'")).toContain(`content="${policy}"`);
  });

  test('hold 500 entries each, and lead to each other', async () => {
    const entries = Array.from({ length: 1_001 }, (_, index) =>
      message(index + 1, { content: chat(index * 60_000, { text: `message ${index + 1}.` }) }),
    );
    const pages = await pagesOf(entries);
    expect([...pages.keys()]).toEqual([
      'index.html',
      ...['1', '2', '3'].map((page) => `pages/00000${page}.html`),
    ]);
    const articles = [...pages.values()].map((page) => page.split('<article').length - 1);
    expect(articles).toEqual([0, 500, 500, 1]);
    const links = [...(pages.get('pages/000002.html') ?? '').matchAll(/href="([^"]*)"/g)].map(([, to]) => to);
    expect(links.slice(0, 3)).toEqual(['000001.html', '../index.html', '000003.html']);
  });

  test('say of a record what became of it, wherever it is read; what does not count removes nothing', async () => {
    const entries = logOf(
      { content: change(1, 1, { status: 'open' }) },
      { content: change(2, 2, { status: 'done' }) },
      { content: change(3, 3, {}) },
      { content: change(1, 4, { status: 'kept' }, 'b1') },
      { content: change(3, 5, {}, 'b1'), invalid: 'role' },
    );
    const page = (await pagesOf(entries)).get('pages/000001.html') ?? '';
    const articles = page.split('<article').slice(1);
    expect(articles.map((article) => article.includes('This record was removed.'))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect([...(articles[0] ?? '').matchAll(/href="(.*?)"/g)].map(([, to]) => to)).toEqual([
      '000001.html#s2',
      '000001.html#s3',
    ]);
    expect(articles[4]).toContain('This counts for nothing: its author may not do this (role)');
    const unjudged = logOf({ content: change(1, 1, {}), invalid: 'unknown-collection' });
    const shown = (await pagesOf(unjudged)).get('pages/000001.html') ?? '';
    expect(shown).toContain('(unknown-collection)');
    expect(shown).not.toContain('counts for nothing');
  });

  test('say of a record of many changes which are around each', async () => {
    const entries = Array.from({ length: 600 }, (_, index) =>
      message(index + 1, { content: change(index === 0 ? 1 : 2, index, { status: `s${index}` }) }),
    );
    const page = (await pagesOf(entries)).get('pages/000001.html') ?? '';
    const article = page.split('<article')[495] ?? '';
    const around = [...article.matchAll(/href="(.*?)"/g)].map(([, to]) => to);
    expect([around.length, around[0], around.at(-1)]).toEqual([20, '000001.html#s485', '000002.html#s505']);
    expect(article).toContain('Edited 599 times.');
  });

  test('say why something could not be read, and how much of that there is', async () => {
    const pages = await pagesOf([unreadable(1, 'ask-an-admin'), unreadable(2, 'some-other-day')]);
    expect(pages.get('pages/000001.html')).toContain('no access (ask-an-admin)');
    expect(pages.get('pages/000001.html')).toContain('(some-other-day)');
    expect(pages.get('index.html')).toContain('2 of them could not be read');
  });

  test('an attachment keeps the ending of its name only where that runs nothing', () => {
    const endings = ['a.JPG', 'a.html', 'a.svg', '../../a.jpg/..', 'a', 'a.js', '.pdf', 'a.jpg\u0000'].map(
      (called) => attachmentName('b', called).split('.').slice(1).join('.'),
    );
    expect(endings).toEqual(['jpg', 'bin', 'bin', 'bin', 'bin', 'bin', 'pdf', 'bin']);
  });
});
