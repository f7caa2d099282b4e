import { describe, expect, test } from 'vitest';
import { CliError } from '../src/errors.ts';
import { coordinate, parseRequestsCsv } from '../src/requests-csv.ts';

const HEADER = 'lat,lng,title,reportedAt,township,address';
const GOOD = '40.1,-75.3,EMS: FALL,2016-01-15 12:01,NORRISTOWN,MAIN ST & OAK ST';

function parse(text: string): ReturnType<typeof parseRequestsCsv> {
  return parseRequestsCsv(new TextEncoder().encode(text));
}

function refusedOf(text: string): string[] {
  return parse(text).refused.map(({ line, column, reason }) => `${line} ${column} ${reason}`);
}

describe('rows', () => {
  test('become open requests, with every cell as it is', () => {
    expect(parse(`${HEADER}\n${GOOD}\n`)).toEqual({
      requests: [
        {
          lat: 40.1,
          lng: -75.3,
          title: 'EMS: FALL',
          reportedAt: '2016-01-15 12:01',
          township: 'NORRISTOWN',
          address: 'MAIN ST & OAK ST',
          status: 'open',
        },
      ],
      refused: [],
    });
  });

  test('columns come in any order, with spaces around their names', () => {
    const { requests } = parse(' title ,address,township,reportedAt,lng,lat\nA,B,C,D,2,1\n');
    expect(requests[0]).toMatchObject({
      title: 'A',
      address: 'B',
      township: 'C',
      reportedAt: 'D',
      lat: 1,
      lng: 2,
    });
  });

  test('quotes, commas, line ends in cells, CRLF, byte order mark, blank lines and no last line end', () => {
    const file = [
      `\u{feff}${HEADER}`,
      '1,2,"Fire: ""big"", spreading",,"A, B",',
      '',
      '1,2,"two\r\nlines",,,"x;y & z"',
      '1,2,last,,,',
    ].join('\r\n');
    const { requests, refused } = parse(file);
    expect(refused).toEqual([]);
    expect(requests.map(({ title }) => title)).toEqual(['Fire: "big", spreading', 'two\r\nlines', 'last']);
    expect(requests.map(({ township }) => township)).toEqual(['A, B', '', '']);
    expect(requests[1]?.address).toBe('x;y & z');
  });

  test('empty cells are allowed everywhere but in the title', () => {
    expect(parse(`${HEADER}\n,,T,,,\n`).requests[0]).toEqual({
      lat: null,
      lng: null,
      title: 'T',
      reportedAt: '',
      township: '',
      address: '',
      status: 'open',
    });
  });
});

describe('bad rows are refused by line and reason, and the rest is kept', () => {
  test.each([
    ['cell count', '1,2,3', '2 null 3 cells instead of 6'],
    ['cell count', `${GOOD},more`, '2 null 7 cells instead of 6'],
    ['number', 'north,-75,T,,,', '2 lat not a number'],
    ['number', '40,0x10,T,,,', '2 lng not a number'],
    ['range', '90.5,0,T,,,', '2 lat out of range'],
    ['range', '0,-180.01,T,,,', '2 lng out of range'],
    ['title', '1,2, ,,,', '2 title missing'],
    ['length', `1,2,${'x'.repeat(301)},,,`, '2 title too long'],
    ['quote', '1,2,a"b,,,', '2 null a quotation mark is open or out of place'],
    ['quote', '1,2,"a"b,,,', '2 null a quotation mark is open or out of place'],
  ])('%s', (_, row, refused) => {
    const file = `${HEADER}\n${row}\n${GOOD}\n`;
    expect(refusedOf(file)).toEqual([refused]);
    expect(parse(file).requests).toHaveLength(1);
  });

  test('a quote that is never closed costs its own line only, also when later rows have quotes', () => {
    const file = [
      HEADER,
      GOOD,
      '1,2,"open,,,',
      GOOD,
      '1,2,"closed, fine",,,',
      GOOD,
      '1,2,"open again,,,',
      GOOD,
    ];
    expect(refusedOf(file.join('\n'))).toEqual([
      '3 null a quotation mark is open or out of place',
      '7 null a quotation mark is open or out of place',
    ]);
    expect(parse(file.join('\n')).requests).toHaveLength(5);
  });

  test('bytes that are not UTF-8', () => {
    const bytes = new TextEncoder().encode(`${HEADER}\n1,2,A#,,,\n${GOOD}\n`);
    bytes[bytes.indexOf(0x23)] = 0xe9;
    const { requests, refused } = parseRequestsCsv(bytes);
    expect(refused).toEqual([{ line: 2, column: 'title', reason: 'not valid UTF-8' }]);
    expect(requests).toHaveLength(1);
  });

  test('line numbers count the lines inside cells', () => {
    expect(refusedOf(`${HEADER}\r\n1,2,"a\r\nb\r\nc",,,\r\n\r\nx,2,T,,,\r\n`)).toEqual([
      '6 lat not a number',
    ]);
  });

  test('no report holds what a cell holds', () => {
    const secret = 'SECRET-CELL';
    const rows = [
      `${secret},2,T,,,`,
      `1,2,"${secret}"x,,,`,
      `1,2,,${secret},,`,
      `1,2,T,${secret.repeat(9)},,`,
    ];
    const { refused } = parse([HEADER, ...rows].join('\n'));
    expect(refused).toHaveLength(4);
    expect(JSON.stringify(refused)).not.toContain('SECRET');
  });
});

describe('files of something else', () => {
  test.each([
    ['empty', ''],
    ['no header', GOOD],
    ['a column missing', 'lat,lng,title,reportedAt,township\n'],
    ['a column twice', `${HEADER},title\n`],
    ['semicolons', HEADER.replaceAll(',', ';')],
  ])('%s', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'not-a-requests-file' }));
  });

  test('the message names no content', () => {
    let caught: unknown;
    try {
      parse('SECRET,TOWN\n');
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CliError);
    expect(String((caught as CliError).message + (caught as CliError).next)).not.toMatch(/SECRET|TOWN/);
  });
});

test('30,000 rows of every kind are read in time that grows with their number, not its square', () => {
  const rows = Array.from({ length: 30_000 }, (_, i) => (i % 3 === 0 ? `1,2,"row ""${i}"", x",,,` : GOOD));
  const start = performance.now();
  expect(parse([HEADER, ...rows].join('\r\n')).requests).toHaveLength(30_000);
  expect(performance.now() - start).toBeLessThan(20_000);
});

test.each([
  ['', null],
  [' 40.5 ', 40.5],
  ['+1', 1],
  ['.5', 0.5],
  ['-0', 0],
  ['1e3', Number.NaN],
  ['Infinity', Number.NaN],
  ['1,5', Number.NaN],
])('coordinate %j is %j', (text, value) => {
  expect(coordinate(text)).toBe(value);
});
