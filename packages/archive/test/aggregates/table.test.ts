import {
  parseRelease,
  percentile,
  tableCsv,
  tableSvg,
  tabulate,
  type AggregatePlan,
  type ChartOptions,
  type TableQuery,
} from '@keytide/archive/aggregates';
import { decodeCbor, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { planOf, recordsOf, release } from './world.ts';
import { elementsIn, readXml, textIn } from './xml-reader.ts';

const minutes = { field: 'minutes', max: 100, roundTo: 10 };
const plan: AggregatePlan = planOf([3, 2], { roundTo: 5, measures: [minutes] });
const records = recordsOf([3, 2], [20, 3, 11, 12, 0, 2]).map((record, index) => ({
  ...record,
  minutes: index % 30,
}));
const made = release(plan, records);
const byA: TableQuery = { view: 'all', by: [{ field: 'a' }] };
const byBoth: TableQuery = { view: 'all', by: [{ field: 'a' }, { field: 'b' }] };

describe('a table', () => {
  test('says of each cell its number or why there is none, and what cells have together', () => {
    const table = tabulate(made, byA);
    expect(
      table.cells.map(({ labels, numbers, withheld }) => [labels, numbers?.count ?? null, withheld]),
    ).toEqual([
      [['a0'], 25, null],
      [['a1'], null, 'merged'],
      [['a2'], null, 'merged'],
    ]);
    expect(table.together.map(({ cells, numbers }) => [cells, numbers.count])).toEqual([[[1, 2], 25]]);
    const filtered = tabulate(made, { ...byA, where: [{ field: 'b', labels: ['b0'] }] });
    expect(filtered.cells.map(({ withheld }) => withheld)).toEqual(['cut', 'merged', 'merged']);
    expect(filtered.together.map(({ cells, numbers }) => [cells, numbers.count])).toEqual([[[1, 2], 10]]);
  });

  test('can have groups of bins, and a group that the atoms fit has its number', () => {
    const groups = [
      { label: 'small', labels: ['a1', 'a2'] },
      { label: 'large', labels: ['a0'] },
    ];
    const { cells } = tabulate(made, { view: 'all', by: [{ field: 'a', groups }] });
    expect(cells.map(({ labels, numbers }) => [labels[0], numbers?.count])).toEqual([
      ['small', 25],
      ['large', 25],
    ]);
  });

  test.each<[string, TableQuery]>([
    ['a view', { view: 'none' }],
    ['a dimension', { view: 'all', by: [{ field: 'z' }] }],
    ['a bin', { view: 'all', where: [{ field: 'a', labels: ['a9'] }] }],
    ['a bin of a group', { view: 'all', by: [{ field: 'a', groups: [{ label: 'x', labels: ['a9'] }] }] }],
    ['bins in a group', { view: 'all', by: [{ field: 'a', groups: [{ label: 'x', labels: [] }] }] }],
    ['two places for a dimension', { ...byA, where: [{ field: 'a', labels: ['a0'] }] }],
    [
      'two places for a bin',
      {
        view: 'all',
        by: [{ field: 'a', groups: ['x', 'y'].map((label) => ({ label, labels: ['a0'] })) }],
      },
    ],
  ])('of %s that there is not is refused', (_, query) => {
    expect(() => tabulate(made, query)).toThrow(expect.objectContaining({ code: 'bad-query' }));
  });

  test('has no percentile of categories, nor one over 100', () => {
    for (const query of [
      { field: 'a', percent: 50 },
      { field: 'z', percent: 50 },
    ])
      expect(() => percentile(made, { view: 'all', ...query })).toThrow(
        expect.objectContaining({ code: 'bad-query' }),
      );
  });
});

describe('a release', () => {
  test('is a value that a document of an organisation can hold, and is read back', () => {
    for (const value of [made, tabulate(made, byBoth)]) {
      expect(JSON.parse(JSON.stringify(value))).toEqual(value);
      expect(decodeCbor(encodeCbor(value as unknown as CborValue), 65_536)).toEqual(value);
    }
    expect(parseRelease(JSON.parse(JSON.stringify(made)))).toEqual(made);
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a string', 'release'],
    ['no plan', { ...made, plan: null }],
    ['a plan that contradicts itself', { ...made, plan: { ...made.plan, roundTo: 99 } }],
    ['atoms of another view', { ...made, atoms: [] }],
    [
      'an atom beyond its dimension',
      withAtom({
        box: [
          [0, 4],
          [0, 2],
        ],
      }),
    ],
    [
      'an atom of no bins',
      withAtom({
        box: [
          [1, 1],
          [0, 2],
        ],
      }),
    ],
    ['an atom of one dimension', withAtom({ box: [[0, 1]] })],
    ['an atom without its sum', withAtom({ sums: [] })],
    ['a count below 0', withAtom({ count: -1 })],
    ['a count that is none', withAtom({ count: '12' })],
    ['a count of fewer than k', withAtom({ count: 5 })],
    ['a count that is not rounded', withAtom({ count: 21 })],
    ['a sum that is not rounded', withAtom({ sums: [101] })],
    ['a cell in no atom', { ...made, atoms: [made.atoms[0]?.slice(1)] }],
    ['a cell in two atoms', { ...made, atoms: [[...(made.atoms[0] ?? []), made.atoms[0]?.[0]]] }],
    [
      'a cell in two atoms, and another in none',
      withBoxes(
        [
          [0, 2],
          [0, 2],
        ],
        [
          [1, 2],
          [0, 2],
        ],
      ),
    ],
    [
      'an atom around the end of its dimension',
      withBoxes(
        [
          [0, 1],
          [0, 4],
        ],
        [
          [2, 3],
          [0, 2],
        ],
      ),
    ],
  ])('that is %s is malformed', (_, value) => {
    expect(() => parseRelease(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  test('with noise may say anything of its cells', () => {
    const noisy = release({ ...plan, epsilonMilli: 1000 }, records);
    const [first, ...others] = noisy.atoms[0] ?? [];
    const none = { ...noisy, atoms: [[{ ...first, count: 0 }, ...others]] };
    expect(parseRelease(none)).toEqual(none);
  });

  test('of a newer version says so', () => {
    expect(() => parseRelease({ ...made, version: 2 })).toThrow(
      expect.objectContaining({ code: 'unsupported-version' }),
    );
  });

  function withBoxes(...boxes: unknown[]): unknown {
    return { ...made, atoms: [boxes.map((box) => ({ ...made.atoms[0]?.[0], box }))] };
  }

  function withAtom(change: object): unknown {
    const [first, ...others] = made.atoms[0] ?? [];
    return { ...made, atoms: [[{ ...first, ...change }, ...others]] };
  }
});

/** Labels that would do harm: to a spreadsheet, to a reader of lines, to XML. */
const HARMFUL = [
  '=HYPERLINK("http://example.org","x")',
  '+1',
  '-1',
  '@SUM(A1)',
  '\tTab',
  '\rReturn',
  'a, "b"\r\nc',
  '<script>alert(1)</script>',
  `]]>&amp;'"`,
  'nul\0 fine \u{1f600}',
];
const harmful = planOf([1], { views: [{ name: 'all', dimensions: [{ field: 'a', categories: HARMFUL }] }] });
const harmed = tabulate(
  release(
    harmful,
    HARMFUL.flatMap((a, index) => Array.from({ length: index < 8 ? 10 + index : 6 }, () => ({ at: 1, a }))),
  ),
  byA,
);

describe('as CSV', () => {
  test('another reader finds every cell, and none that a spreadsheet would run', () => {
    const csv = tableCsv(harmed);
    const rows: string[][] = parse(csv, { record_delimiter: '\r\n' });
    expect(rows[0]).toEqual(['a', 'count', 'withheld', 'together']);
    expect(rows.slice(1, -1).map(([label]) => label?.replace(/^'/, ''))).toEqual(HARMFUL);
    expect(rows.slice(1, 4).map(([, ...rest]) => rest)).toEqual([
      ['10', '', ''],
      ['11', '', ''],
      ['12', '', ''],
    ]);
    expect(rows.slice(9)).toEqual([
      [HARMFUL[8], '', 'merged', '1'],
      [HARMFUL[9], '', 'merged', '1'],
      ['', '12', '', '1'],
    ]);
    for (const field of rows.flat()) expect(field).not.toMatch(/^[=+\-@\t\r]/);
  });

  test('it has a column for each dimension and each sum', () => {
    const rows: string[][] = parse(tableCsv(tabulate(made, byBoth)), { record_delimiter: '\r\n' });
    expect(rows[0]).toEqual(['a', 'b', 'count', 'minutes', 'withheld', 'together']);
    expect(rows[1]).toEqual(['a0', 'b0', '', '', 'merged', '1']);
  });
});

describe('as a chart', () => {
  const kinds = ['bars', 'columns', 'line'] as const;

  test.each(kinds)('of %s it is well-formed, self-contained and says all numbers', (kind) => {
    const svg = tableSvg(harmed, { kind, title: '<Calls> & "more" \ud800', id: 'calls' });
    const root = readXml(svg);
    const elements = elementsIn(root);
    const allowed = ['svg', 'title', 'desc', 'g', 'rect', 'text', 'line', 'circle'];
    expect(elements.filter(({ name }) => !allowed.includes(name))).toEqual([]);
    const attributes = elements.flatMap((element) => Object.entries(element.attributes));
    expect(
      attributes.filter(([name, value]) => /^on|href|style|src/i.test(name) || /url\(|:\/\//.test(value)),
    ).toEqual([['xmlns', 'http://www.w3.org/2000/svg']]);
    const [title, description] = root.content as [typeof root, typeof root];
    expect([title.name, description.name]).toEqual(['title', 'desc']);
    expect(root.attributes['role']).toBe('img');
    expect(root.attributes['aria-labelledby']).toBe(
      `${title.attributes['id']} ${description.attributes['id']}`,
    );
    expect(textIn(title)).toBe('<Calls> & "more" \ufffd');
    expect(textIn(description)).toContain('<script>alert(1)</script>: 17;');
    expect(textIn(description)).toMatch(/fine \u{1f600}: 12 together\.$/u);
    for (const { name, attributes: shape } of elements)
      for (const [key, value] of Object.entries(shape))
        if (/^(x|y|width|height|cx|cy|r|x1|x2|y1|y2)$/.test(key))
          expect([name, Number(value) >= 0]).toEqual([name, true]);
  });

  test.each(kinds)('of %s it draws what is withheld as withheld, and never as 0', (kind) => {
    const table = tabulate(made, { ...byA, where: [{ field: 'b', labels: ['b0'] }] });
    const root = readXml(tableSvg(table, { kind, title: 'Calls' }));
    const groups = elementsIn(root).filter(({ name, content: [first] }) => {
      return (
        name === 'g' && typeof first === 'object' && first.name === 'title' && textIn(first).startsWith('a0:')
      );
    });
    expect(groups).toHaveLength(1);
    const drawn = groups.flatMap(elementsIn).map(({ name }) => name);
    expect(drawn).not.toContain('rect');
    expect(drawn).not.toContain('circle');
    expect(groups.map(textIn).join('')).toContain('withheld');
    expect(textIn(root)).toContain('a0: withheld (cut); a1 + a2: 10 together.');
    expect(textIn(root)).toContain('at least 10, counts rounded to 5.');
  });

  test('can be of a sum', () => {
    const [, description] = readXml(
      tableSvg(tabulate(made, byA), { kind: 'bars', title: 'x', measure: 'minutes' }),
    ).content as [never, ReturnType<typeof readXml>];
    const sum = records.slice(0, 23).reduce((total, record) => total + record.minutes, 0);
    expect(textIn(description)).toContain(`a0: ${Math.round(sum / 10) * 10};`);
  });

  test.each<[string, TableQuery, Partial<ChartOptions>]>([
    ['a sum that there is not', byA, { measure: 'hours' }],
    ['an id that is none', byA, { id: '"><script>' }],
    ['columns of two dimensions', byBoth, { kind: 'columns' }],
    ['a line of two dimensions', byBoth, { kind: 'line' }],
  ])('of %s is refused', (_, query, options) => {
    expect(() => tableSvg(tabulate(made, query), { kind: 'bars', title: 'x', ...options })).toThrow(
      expect.objectContaining({ code: 'bad-query' }),
    );
  });
});
