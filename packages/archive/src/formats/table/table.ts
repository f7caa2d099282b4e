import type { CborValue } from '@keytide/crypto-core';

/** What a column holds. `time` is milliseconds since 1970, `value` anything. */
export type ColumnType = 'text' | 'integer' | 'number' | 'boolean' | 'bytes' | 'time' | 'value';

/** A column of a table. */
export interface Column {
  /** Of the columns that each such table has, or the name of a field. */
  readonly name: string;
  readonly type: ColumnType;
  /** Whether it is for a field of the bodies. */
  readonly isField: boolean;
}

/** What stands in a column: `undefined` for nothing. */
export type Cell = CborValue | undefined;

/** Rows, and what their cells are. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: AsyncIterable<readonly Cell[]>;
}

/** Columns that each such table has, by name. */
export function fixedColumns(columns: { readonly [name: string]: ColumnType }): Column[] {
  return Object.entries(columns).map(([name, type]) => ({ name, type, isField: false }));
}
