import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import type { OpenedEntry } from '@keytide/archive/formats';
import { parquetStates, parquetTable } from '@keytide/archive/parquet';
import type { CborValue } from '@keytide/crypto-core';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { namesOf } from '../../src/formats/table/parquet-column.ts';
import { anyText, bytesOf, change, chat, lastStays as merge, logOf, message } from './entries.ts';

let folder: string;
let instance: DuckDBInstance;
let duck: DuckDBConnection;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-parquet-'));
  // Nothing is fetched: what does not come with it is not there.
  const settings = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' };
  instance = await DuckDBInstance.create(':memory:', { ...settings, threads: '1' });
  duck = await instance.connect();
});
afterAll(async () => {
  duck?.closeSync();
  instance?.closeSync();
  await rm(folder, { recursive: true, force: true });
});

/** What DuckDB makes of a file; `FILE` in the query is the file. */
async function ask(file: AsyncIterable<Uint8Array>, query: string): Promise<unknown[][]> {
  const path = join(folder, 'table.parquet');
  await writeFile(path, await bytesOf(file));
  return (await duck.runAndReadAll(query.replace('FILE', `'${path}'`))).getRowsJson() as unknown[][];
}

const changesOf = (entries: readonly OpenedEntry[], collection = 'requests') =>
  parquetTable(() => entries, { collection });

describe('tables as Parquet, read by DuckDB', () => {
  test('changes have columns of their types', async () => {
    const entries = logOf(
      {
        content: change(1, Date.UTC(2026, 1, 3, 4, 5, 6, 789), {
          ...{ status: 'open', people: 3, litres: 2, ok: true, at: [48.2, 16.4], by: null },
          ...{ raw: Uint8Array.of(1, 2), any: 1 },
        }),
      },
      { content: change(2, 0, { people: -4, litres: 1.5, any: 'one' }), by: 'Zoë', invalid: 'schema' },
    );
    const described = await ask(changesOf(entries), 'DESCRIBE SELECT * FROM FILE');
    expect(described.map(([name, type]) => `${String(name)} ${String(type)}`)).toEqual([
      ...['group VARCHAR', 'seq BIGINT', 'time TIMESTAMP WITH TIME ZONE', 'counter BIGINT', 'act VARCHAR'],
      ...['item VARCHAR', 'name VARCHAR', 'member VARCHAR', 'role VARCHAR', 'device VARCHAR'],
      ...['invalid VARCHAR', 'body_at VARCHAR', 'body_by VARCHAR', 'body_ok BOOLEAN', 'body_any VARCHAR'],
      ...['body_raw BLOB', 'body_litres DOUBLE', 'body_people BIGINT', 'body_status VARCHAR'],
    ]);
    const query = `SELECT seq, epoch_ms(time), act, name, invalid, body_people, body_litres, body_ok, body_at,
      body_by, hex(body_raw), body_any, body_status FROM FILE ORDER BY seq`;
    expect(await ask(changesOf(entries), query)).toEqual([
      ...[
        ['1', '1770091506789', 'create', 'Ada', null, '3', 2, true, '[48.2,16.4]', null, '0102', '1', 'open'],
      ],
      ...[['2', '0', 'edit', 'Zoë', 'schema', '-4', 1.5, null, null, null, null, 'one', null]],
    ]);
  });

  test('whatever is said comes back, formulas and all', async () => {
    const fraction = fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true });
    const given = fc.array(fc.tuple(anyText, fc.maxSafeInteger(), fraction), {
      minLength: 30,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(given, async (said) => {
        const entries = logOf(
          ...said.map(([text, n, x]) => ({ content: chat(1, { text: `=${text}`, n, x }), by: text })),
        );
        const rows = await ask(
          changesOf(entries, 'chat'),
          'SELECT name, body_text, body_n, body_x FROM FILE',
        );
        expect(rows.map(([name, text, n, x]) => [name, text, Number(n), Number(x)])).toEqual(
          said.map(([text, n, x]) => [text, `=${text}`, n, x]),
        );
      }),
      { seed: 20_261_122, numRuns: 5 },
    );
  });

  test('states have a row for each record, and nothing of what was removed', async () => {
    const entries = logOf(
      { content: change(1, 1_000, { status: 'open', people: 3 }, 'a1') },
      { content: change(1, 1_000, { status: 'secret' }, 'b2') },
      { content: change(2, 2_000, { status: 'done' }, 'a1'), by: 'Bo' },
      { content: change(3, 3_000, {}, 'b2') },
    );
    const file = () => parquetStates(() => entries, { collection: 'requests', merge });
    const query = `SELECT item, state, changes, epoch_ms(firstTime), lastName, body_status, body_people
      FROM FILE ORDER BY item`;
    expect(await ask(file(), query)).toEqual([
      ['a1'.repeat(32), 'shown', '2', '1000', 'Bo', 'done', '3'],
      ['b2'.repeat(32), 'removed', '2', '1000', 'Ada', null, null],
    ]);
    expect((await bytesOf(file())).includes('secret')).toBe(false);
  });

  test('a table is written in groups of rows, each as soon as it is whole', async () => {
    const count = 20_500;
    const entries = Array.from({ length: count }, (_, index) =>
      message(index + 1, { content: chat(index, { text: `message ${index}` }) }),
    );
    let [read, most, pieces] = [0, 0, 0];
    async function* counted() {
      for (const entry of entries) {
        read += 1;
        yield entry;
      }
    }
    const path = join(folder, 'groups.parquet');
    const all: Uint8Array[] = [];
    for await (const piece of parquetTable(counted, { collection: 'chat' })) {
      all.push(piece);
      pieces += 1;
      most = Math.max(most, read - count - 10_000 * (pieces - 1));
    }
    await writeFile(path, Buffer.concat(all));
    expect([pieces, most]).toEqual([4, 10_000]);
    const sums = `SELECT count(*), sum(seq), count(DISTINCT body_text), min(body_text) FROM '${path}'`;
    const total = (count * (count + 1)) / 2;
    expect((await duck.runAndReadAll(sums)).getRowsJson()).toEqual([
      [String(count), String(total), String(count), 'message 0'],
    ]);
    const groups = `SELECT DISTINCT row_group_num_rows FROM parquet_metadata('${path}') ORDER BY ALL`;
    expect((await duck.runAndReadAll(groups)).getRowsJson()).toEqual([['500'], ['10000']]);
  });

  test('rows that are large are fewer to a group', async () => {
    const text = 'x'.repeat(100_000);
    const entries = Array.from({ length: 90 }, (_, index) =>
      message(index + 1, { content: chat(index, { text: `${index}${text}` }) }),
    );
    const groups = 'SELECT max(row_group_num_rows) < 85 FROM parquet_metadata(FILE)';
    expect(await ask(changesOf(entries, 'chat'), groups)).toEqual([[true]]);
  });

  test('an empty table is a table', async () => {
    expect(await ask(changesOf([]), 'SELECT count(*), count(seq) FROM FILE')).toEqual([['0', '0']]);
  });

  test('columns are called what needs no quotes and is there once; which field each is, the file says', async () => {
    const fields = ['status', 'Status', 'a b', 'a-b', 'größe', '"; DROP TABLE x', '\u{1f600}'.repeat(40)];
    const names = namesOf(['seq', ...fields].map((name, at) => ({ name, isField: at > 0 })));
    expect(names.slice(0, -1)).toEqual([
      ...['seq', 'body_status', 'body_Status_2', 'body_a_b', 'body_a_b_2', 'body_größe'],
      'body____DROP_TABLE_x',
    ]);
    const body: { [field: string]: CborValue } = Object.fromEntries(fields.map((name) => [name, 1]));
    const file = () => changesOf(logOf({ content: change(1, 1, body) }));
    const [row] = await ask(file(), `SELECT decode(value) FROM parquet_kv_metadata(FILE)`);
    const named = JSON.parse(String(row?.[0])) as { [column: string]: string };
    expect(new Set(Object.values(named))).toEqual(new Set(fields));
    const [counted] = await ask(file(), `SELECT ${Object.keys(named).join(' + ')} FROM FILE`);
    expect(counted).toEqual([String(fields.length)]);
  });
});
