import type { SchemaElement } from 'hyparquet-writer';
import { toJson } from '../../container/content.ts';
import type { Cell, Column, ColumnType } from './table.ts';

const MAX_NAME_UNITS = 60;
const TEXT: Partial<SchemaElement> = {
  ...{ type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
};
const TYPES: Readonly<Record<ColumnType, Partial<SchemaElement>>> = {
  text: TEXT,
  // As text: not every reader knows JSON.
  value: TEXT,
  integer: { type: 'INT64' },
  number: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  bytes: { type: 'BYTE_ARRAY' },
  time: {
    ...{ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
};

/** Any cell may be empty. */
export function schemaOf(columns: readonly Column[], names: readonly string[]): SchemaElement[] {
  const leaves = columns.map(({ type }, at): SchemaElement => {
    return { name: names[at] as string, repetition_type: 'OPTIONAL', ...TYPES[type] };
  });
  return [{ name: 'root', num_children: columns.length }, ...leaves];
}

/**
 * Names that need no quotes in SQL: letters, digits and `_`, with `body_` before those of fields, and at most 60
 * characters and what keeps them apart. No two differ only in case.
 */
export function namesOf(columns: readonly Pick<Column, 'name' | 'isField'>[]): string[] {
  const taken = new Set<string>();
  return columns.map(({ name, isField }) => {
    const plain = (isField ? `body_${name}` : name)
      .replace(/[^\p{L}\p{Nd}_]/gu, '_')
      .slice(0, MAX_NAME_UNITS)
      .replace(/[\ud800-\udbff]$/, '');
    let unique = plain;
    for (let number = 2; taken.has(folded(unique)); number += 1) unique = `${plain}_${number}`;
    taken.add(folded(unique));
    return unique;
  });
}

/** What the writer takes for a cell; `null` for an empty one, and for a `null` in it. */
export function parquetCell(cell: Cell, type: ColumnType): unknown {
  if (cell === undefined || cell === null) return null;
  if (type === 'integer' || type === 'time') return BigInt(cell as number);
  if (type !== 'value') return cell;
  return typeof cell === 'string' ? cell : JSON.stringify(toJson(cell));
}

/** About how much memory a cell takes. */
export function sizeOf(cell: unknown): number {
  if (typeof cell === 'string' || cell instanceof Uint8Array) return 8 + cell.length;
  return 8;
}

function folded(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase();
}
