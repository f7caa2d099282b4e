import {
  collectionsIn,
  csvStates,
  htmlPages,
  recordStates,
  type OpenedEntry,
} from '@keytide/archive/formats';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { bytesOf, change, chat, lastStays as merge, logOf, message, unreadable } from './entries.ts';

type Row = { [column: string]: string };

/** A record that is edited, one that is removed, one without a beginning, and what counts for nothing. */
const LOG: readonly OpenedEntry[] = [
  ...logOf(
    { content: change(1, 1_000, { status: 'open', need: '=1+1', people: 3 }, 'a1') },
    { content: change(1, 900, { status: 'secret of before' }, 'b2'), by: 'Bo' },
    { content: chat(1_000, { text: 'no record' }) },
    { content: change(2, 1_000, { status: 'done', at: [48, 16] }, 'a1'), by: 'Bo' },
    { content: change(2, 5, { status: 'lost' }, 'a1'), invalid: 'field' },
    { content: change(2, 7, { status: 'late' }, 'c3') },
    { content: change(1, 7, { status: 'never' }, 'd4'), invalid: 'schema' },
    { content: change(3, 8, {}, 'b2'), by: 'Cy' },
    { content: 'no operation' },
  ),
  unreadable(10, 'tampered'),
];

async function rowsOf(entries: readonly OpenedEntry[], fields?: readonly string[]): Promise<Row[]> {
  const options = { collection: 'requests', merge, ...(fields && { fields }) };
  return parse(await bytesOf(csvStates(() => entries, options)), {
    columns: true,
    record_delimiter: '\r\n',
  });
}

async function pagesOf(entries: readonly OpenedEntry[]): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for await (const { name, content } of htmlPages(() => entries, { title: 'Harbour', merge }))
    pages.set(name, (await bytesOf(content)).toString());
  return pages;
}

test('what nobody has judged is in the tables', async () => {
  const foreign = logOf({ content: change(1, 1, { status: 'open' }), invalid: 'unknown-collection' });
  expect(await collectionsIn(() => foreign)).toEqual(new Map([['requests', 'record']]));
  expect(await rowsOf(foreign)).toMatchObject([{ state: 'shown', 'body.status': 'open', rejected: '0' }]);
  const against = logOf({ content: change(1, 1, { status: 'open' }), invalid: 'schema' });
  expect(await collectionsIn(() => against)).toEqual(new Map());
});

describe('records as they stand, as CSV', () => {
  test('have a row each: who wrote when, and what the fields say now', async () => {
    const [first, ...others] = await rowsOf(LOG);
    expect(first).toEqual({
      ...{ group: '91'.repeat(32), item: 'a1'.repeat(32), state: 'shown', changes: '2', rejected: '1' },
      ...{ firstSeq: '1', firstTime: '1970-01-01T00:00:01.000Z', firstName: 'Ada' },
      ...{ lastSeq: '4', lastTime: '1970-01-01T00:00:01.000Z', lastName: 'Bo' },
      ...{ firstMember: '03'.repeat(16), firstDevice: '02'.repeat(32) },
      ...{ lastMember: '03'.repeat(16), lastDevice: '02'.repeat(32) },
      ...{ 'body.need': "'=1+1", 'body.people': '3', 'body.status': 'done', 'body.at': '[48,16]' },
    });
    expect(others.map(({ item, state, lastName }) => [item?.slice(0, 2), state, lastName])).toEqual([
      ['b2', 'removed', 'Cy'],
      ['c3', 'incomplete', 'Ada'],
    ]);
  });

  test('nothing of what a removed record said, or one that is not shown, is in the table', async () => {
    const bytes = await bytesOf(csvStates(() => LOG, { collection: 'requests', merge }));
    expect(bytes.toString()).not.toMatch(/secret|late|never|lost/);
    const [, removed, incomplete] = await rowsOf(LOG, ['status']);
    expect([removed?.['body.status'], incomplete?.['body.status']]).toEqual(['', '']);
  });

  test('what the application does not let count is counted, and changes nothing', async () => {
    const [opened] = logOf({ content: change(2, 9, { status: 'by nobody' }, 'a1') }) as [OpenedEntry];
    if (opened.entry.kind !== 'message') throw new Error('not a message');
    const entries = [...LOG, { ...opened, entry: { ...opened.entry, role: 'exporter' as const } }];
    const [first] = await rowsOf(entries);
    expect([first?.['rejected'], first?.['body.status']]).toEqual(['2', 'done']);
  });

  test('who makes up fields makes no columns without end', async () => {
    const body = Object.fromEntries(Array.from({ length: 700 }, (_, index) => [`f${1_000 + index}`, index]));
    const [row] = await rowsOf(logOf({ content: change(1, 1, body) }));
    const names = Object.keys(row ?? {});
    expect([names.length, names.at(-1)]).toEqual([15 + 500 + 1, 'more']);
    expect(Object.keys(JSON.parse(row?.['more'] ?? '') as object)).toHaveLength(200);
  });

  test('records of two groups are two, whatever their ids', async () => {
    const other = LOG.map((opened) => ({ ...opened, group: 'ab'.repeat(32) as OpenedEntry['group'] }));
    const options = { collection: 'requests', merge };
    const found: string[] = [];
    for await (const { group, id } of recordStates(() => [...LOG, ...other], options))
      found.push(`${group.slice(0, 2)} ${id.slice(0, 2)}`);
    expect(found).toEqual(['91 a1', '91 b2', '91 c3', 'ab a1', 'ab b2', 'ab c3']);
  });
});

describe('records as they stand, as pages', () => {
  test('what it says is on top, and below it who changed it when', async () => {
    const pages = await pagesOf(LOG);
    expect([...pages.keys()]).toEqual(['index.html', 'pages/000001.html', 'records/000001.html']);
    expect(pages.get('index.html')).toContain('href="records/000001.html"');
    const page = pages.get('records/000001.html') ?? '';
    const [, shown = '', removed = '', incomplete = ''] = page.split('<article');
    expect(shown.indexOf('done')).toBeGreaterThan(0);
    expect(shown.indexOf('done')).toBeLessThan(shown.indexOf('History'));
    expect([...shown.matchAll(/href="(.*?)"/g)].map(([, to]) => to)).toEqual(
      [1, 4, 5].map((seq) => `../pages/000001.html#s${seq}`),
    );
    expect(shown).toContain('changed, counts for nothing');
    expect(removed).toContain('This record was removed.');
    expect(removed).toContain('<bdi>Cy</bdi> removed');
    expect(incomplete).toContain('Its beginning is not here');
    expect(`${removed}${incomplete}`).not.toMatch(/secret|late/);
  });

  test('what the application does not let count removes nothing', async () => {
    const [opened] = logOf({ content: change(3, 9, {}, 'a1') }) as [OpenedEntry];
    if (opened.entry.kind !== 'message') throw new Error('not a message');
    const removal = { ...opened, entry: { ...opened.entry, seq: 11, role: 'exporter' as const } };
    const pages = await pagesOf([...LOG, removal]);
    const [, shown = ''] = pages.get('records/000001.html')?.split('<article') ?? [];
    expect(shown).toContain('removed, counts for nothing');
    expect(pages.get('pages/000001.html')?.split('<article')[1]).toContain('Edited once.');
  });

  test('where a record was changed leads to how it stands', async () => {
    const page = (await pagesOf(LOG)).get('pages/000001.html') ?? '';
    const found = page
      .split('<article')
      .slice(1)
      .map((article) => /href="(\.\.\/records\/.*?)"/.exec(article)?.[1] ?? null);
    const [a, b, c] = [1, 2, 3].map((number) => `../records/000001.html#r${number}`);
    expect(found).toEqual([a, b, null, a, a, c, null, b, null, null]);
    const anchors = (await pagesOf(LOG)).get('records/000001.html')?.match(/id="r\d+"/g);
    expect(anchors).toEqual(['id="r1"', 'id="r2"', 'id="r3"']);
  });

  test('are a hundred to a page', async () => {
    const entries = Array.from({ length: 201 }, (_, index) =>
      message(index + 1, {
        content: [1, 1, 'requests', index.toString(16).padStart(64, '0'), 1, 0, { n: index }],
      }),
    );
    const pages = await pagesOf(entries);
    const counts = [...pages].map(([name, page]) => [name, page.split('<article').length - 1]);
    expect(counts.slice(2)).toEqual([
      ['records/000001.html', 100],
      ['records/000002.html', 100],
      ['records/000003.html', 1],
    ]);
    expect(pages.get('records/000003.html')).toContain('id="r201"');
    expect(pages.get('pages/000001.html')).toContain('href="../records/000003.html#r201"');
  });
});
