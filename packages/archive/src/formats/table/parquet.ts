import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { OpenedEntries } from '../opened-entry.ts';
import { changesTable, type ChangesOptions } from './changes.ts';
import { namesOf, parquetCell, schemaOf, sizeOf } from './parquet-column.ts';
import { statesTable, type StatesOptions } from './states.ts';
import type { Table } from './table.ts';

/** What is in memory at a time. */
const MAX_GROUP_ROWS = 10_000;
const MAX_GROUP_UNITS = 8 * 1024 * 1024;

/**
 * What was said in a collection, as Parquet: the rows of `csvTable`. The entries are read twice.
 * Docs/spec/derived-formats.md, "Parquet".
 */
export function parquetTable(entries: OpenedEntries, options: ChangesOptions): AsyncIterable<Uint8Array> {
  return pieces(changesTable(entries, options, true));
}

/** The records of a collection as they stand, as Parquet: the rows of `csvStates`. */
export function parquetStates(entries: OpenedEntries, options: StatesOptions): AsyncIterable<Uint8Array> {
  return pieces(statesTable(entries, options));
}

async function* pieces(made: Promise<Table>): AsyncGenerator<Uint8Array, void, undefined> {
  const { columns, rows } = await made;
  const names = namesOf(columns);
  const fields = columns.flatMap(({ name, isField }, at) => (isField ? [[names[at], name]] : []));
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    ...{ writer, schema: schemaOf(columns, names), createdBy: 'keytide' },
    kvMetadata: [{ key: 'keytide.fields', value: JSON.stringify(Object.fromEntries(fields)) }],
  });
  let data: unknown[][] = columns.map(() => []);
  let count = 0;
  let units = 0;

  /** A row group, as bytes. */
  function written(): Uint8Array {
    const columnData = columns.map(({ type }, at) => ({
      ...{ name: names[at] as string, data: data[at] as unknown[] },
      // Of text the smallest and the largest would be kept until the end, however long they are.
      statistics: type === 'integer' || type === 'number' || type === 'time' || type === 'boolean',
    }));
    void parquet.write({ columnData, rowGroupSize: count });
    data = columns.map(() => []);
    count = 0;
    units = 0;
    return taken();
  }

  function taken(): Uint8Array {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  }

  for await (const row of rows) {
    for (const [at, column] of columns.entries()) {
      const cell = parquetCell(row[at], column.type);
      (data[at] as unknown[]).push(cell);
      units += sizeOf(cell);
    }
    count += 1;
    if (count >= MAX_GROUP_ROWS || units >= MAX_GROUP_UNITS) yield written();
  }
  if (count > 0) yield written();
  void parquet.finish();
  yield taken();
}
