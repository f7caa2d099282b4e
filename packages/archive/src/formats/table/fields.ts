import type { CborValue } from '@keytide/crypto-core';
import type { Cell, Column, ColumnType } from './table.ts';

type Body = { readonly [field: string]: CborValue };

/** Fields that have columns of their own: anybody who writes can make up more. */
const MAX_FIELDS = 500;

/** The columns for the fields of bodies, and what stands in them. */
interface FieldColumns {
  readonly columns: readonly Column[];
  cells(body: Body): Cell[];
}

/** The fields that bodies have, as they are first met, and what is in them. */
export interface Fields {
  see(body: Body): void;
  /** Columns for these fields, or for those that were seen: the first 500, and one for the rest. */
  columns(chosen?: readonly string[]): FieldColumns;
}

/** No body was seen yet. */
export function newFields(): Fields {
  const types = new Map<string, ColumnType | null>();
  let hasMore = false;

  function seen(name: string, value: CborValue): void {
    const known = types.get(name);
    if (known === undefined && types.size >= MAX_FIELDS) hasMore = true;
    else types.set(name, unionOf(known ?? null, value));
  }

  return {
    see(body) {
      for (const [name, value] of Object.entries(body)) seen(name, value);
    },
    columns(chosen) {
      const names = chosen ?? [...types.keys()];
      const columns = names.map(
        (name) => ({ name, type: types.get(name) ?? 'value', isField: true }) as const,
      );
      const rest = chosen === undefined && hasMore;
      return {
        columns: rest ? [...columns, { name: 'more', type: 'value', isField: false }] : columns,
        cells(body) {
          const cells: Cell[] = names.map((name) => (Object.hasOwn(body, name) ? body[name] : undefined));
          return rest ? [...cells, restOf(body, types)] : cells;
        },
      };
    },
  };
}

/** What a column is of that has been of this type, `null` for none, and now has this value. */
function unionOf(type: ColumnType | null, value: CborValue): ColumnType | null {
  if (value === null) return type;
  const now = typeOf(value);
  if (type === null || type === now) return now;
  const both = new Set([type, now]);
  return both.has('integer') && both.has('number') ? 'number' : 'value';
}

function typeOf(value: CborValue): ColumnType {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number';
  return value instanceof Uint8Array ? 'bytes' : 'value';
}

function restOf(body: Body, known: ReadonlyMap<string, unknown>): Cell {
  const rest = Object.entries(body).filter(([name]) => !known.has(name));
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}
