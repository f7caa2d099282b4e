/** What a parameter may be. Arrays of integers go as text: see `integerArray`. */
export type SqlValue = string | number | null | Uint8Array;

/** One row by column name: bytea as `Uint8Array`, bigint and int as number, text as string. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** Runs statements one after another on one connection. */
export interface SqlRunner {
  query(text: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Several statements without parameters, separated by semicolons. */
  script(text: string): Promise<void>;
}

/** PostgreSQL's dialect, whoever speaks it. Every failure is a RelayError `database-failed`. */
export interface SqlDatabase {
  /** How many statements can usefully run at once. */
  readonly connections: number;
  /** One statement, durable when this resolves. */
  query(text: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** All of it or nothing. A throw inside `work` rolls back and is thrown on. */
  transaction<T>(work: (runner: SqlRunner) => Promise<T>): Promise<T>;
  /** Waits for what is under way, then lets go of connections, threads and locks. */
  close(): Promise<void>;
}

/** An int[] or bigint[] parameter as PostgreSQL's array text. */
export function integerArray(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

/** Where each part begins in the joined bytes; SQL counts from 1. */
export function startsOf(sizes: readonly number[]): number[] {
  let start = 1;
  return sizes.map((size) => {
    const mine = start;
    start += size;
    return mine;
  });
}
