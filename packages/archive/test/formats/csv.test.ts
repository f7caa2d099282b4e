import { csvTable, type ChangesOptions, type OpenedEntry } from '@keytide/archive/formats';
import type { CborValue } from '@keytide/crypto-core';
import { parse } from 'csv-parse/sync';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyText, bytesOf, change, chat, logOf, unreadable } from './entries.ts';

type Row = { [column: string]: string };

async function table(entries: readonly OpenedEntry[], options: ChangesOptions): Promise<Row[]> {
  const bytes = await bytesOf(csvTable(() => entries, options));
  return parse(bytes, { columns: true, record_delimiter: '\r\n' });
}

describe('a collection as CSV', () => {
  test('has a row for each message and a column for each field, in the order in which they came', async () => {
    const rows = await table(
      [
        ...logOf(
          { content: chat(0, { text: 'one', hop: 1.5 }, 'north') },
          { content: change(1, 2, { status: 'open' }) },
          {
            content: chat(3, {
              photo: { blob: 'x', name: 'a"b' },
              raw: Uint8Array.of(1, 2),
              ok: true,
              none: null,
            }),
          },
          { content: chat(4, { text: 4 }), invalid: 'schema', by: 'Zoë' },
          { content: 'no operation' },
        ),
        unreadable(9, 'ask-an-admin'),
      ],
      { collection: 'chat' },
    );
    expect(rows.map((row) => Object.keys(row).slice(11))[0]).toEqual(
      ['hop', 'text', 'ok', 'raw', 'none', 'photo'].map((field) => `body.${field}`),
    );
    expect(rows.map(({ seq, time, item, name, invalid }) => [seq, time, item, name, invalid])).toEqual([
      ['1', '1970-01-01T00:00:00.000Z', 'north', 'Ada', ''],
      ['3', '1970-01-01T00:00:00.003Z', '', 'Ada', ''],
      ['4', '1970-01-01T00:00:00.004Z', '', 'Zoë', 'schema'],
    ]);
    const said = rows.map((row) => Object.values(row).slice(11));
    expect(said).toEqual([
      ['1.5', 'one', '', '', '', ''],
      ['', '', 'true', '{"$bytes":"AQI"}', 'null', '{"blob":"x","name":"a\\"b"}'],
      ['', '4', '', '', '', ''],
    ]);
  });

  test('has a row for each change of a record, with the fields that it changes', async () => {
    const changes = logOf(
      { content: change(1, 1, { status: 'open', need: 'water' }) },
      { content: change(2, 2, { status: 'done' }) },
      { content: change(3, 3, {}) },
    );
    const rows = await table(changes, { collection: 'requests', fields: ['status'] });
    expect(rows.map((row) => [row['act'], row['body.status'], Object.keys(row).length])).toEqual([
      ['create', 'open', 12],
      ['edit', 'done', 12],
      ['remove', '', 12],
    ]);
  });

  test('no text of anybody is a formula, and all of it comes back', async () => {
    const hostile = fc.constantFrom('=1+1', '+1', '-1', '@x', '\t=1', '\r=1', '\n=1', '＝1', '",=1\r\n', '');
    const someText = fc.oneof(hostile, anyText);
    const given = fc.array(fc.tuple(someText, someText, someText), { minLength: 20, maxLength: 20 });
    const sign = /^[=+\-@\t\r\n＝＋－＠]/;
    const within = /([;\t\r\n][\s"]*)'(?=[=+\-@＝＋－＠])/g;
    const bare = (field = ''): string =>
      (field.startsWith("'") && sign.test(field.slice(1)) ? field.slice(1) : field).replace(within, '$1');
    await fc.assert(
      fc.asyncProperty(given, async (texts) => {
        const entries = logOf(
          ...texts.map(([text, name, room]) => ({ content: chat(1, { text, n: -5 }, room), by: name })),
        );
        const rows = await table(entries, { collection: 'chat' });
        expect(
          rows.flatMap((row) => Object.values(row)).filter((field) => sign.test(field) && field !== '-5'),
        ).toEqual([]);
        expect(rows.map((row) => [row['body.text'], row['name'], row['item']].map(bare))).toEqual(
          texts.map((fields) => fields.map(bare)),
        );
        expect(rows.every((row) => row['body.n'] === '-5')).toBe(true);
      }),
      { seed: 20_261_122, numRuns: 10 },
    );
  });

  test('no text is a formula where cells are separated by semicolons or tabs either', async () => {
    const texts = [
      "x;=cmd|' /C calc'!A0",
      'x\t=1+1',
      'x; "-1',
      'x\r\n+1',
      'a"\n"=1',
      ';;＝1',
      'x;y=1',
      '1;2',
    ];
    const entries = logOf(
      ...texts.map((text) => ({ content: chat(1, { text, 'a;@b': text }, text), by: text })),
    );
    const bytes = await bytesOf(csvTable(() => entries, { collection: 'chat' }));
    for (const delimiter of [';', '\t']) {
      // Quotes within a cell are its own; those at its beginning are as well, for a program that cares.
      const cells = bytes.toString().split(new RegExp(`[${delimiter}\\r\\n]`));
      expect(cells.length).toBeGreaterThan(20);
      expect(cells.filter((cell) => /^[\s"]*[=+\-@＝＋－＠]/.test(cell))).toEqual([]);
    }
    const said = (await table(entries, { collection: 'chat' })).map((row) => row['body.text']);
    expect(said.slice(-2)).toEqual(['x;y=1', '1;2']);
  });

  test('a field named like what an object has from birth is a field', async () => {
    const body: { [field: string]: CborValue } = { toString: 'mine' };
    const rows = await table(logOf({ content: chat(1, body) }, { content: chat(2, {}) }), {
      collection: 'chat',
    });
    expect(rows.map((row) => row['body.toString'])).toEqual(['mine', '']);
  });
});
