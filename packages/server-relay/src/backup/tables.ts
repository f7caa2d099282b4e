import type { SqlRunner, SqlValue } from '../sql/database.ts';

/** A table of a relay's database, as a backup has it. */
export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

interface Column {
  readonly name: string;
  /** As PostgreSQL writes it. */
  readonly type: string;
  /** Drawn from a sequence of the column's own. */
  readonly isIdentity: boolean;
}

/**
 * What is replaced by each backup, for all that there are. Without its keys, what was forgotten since is noise in older
 * ones; floors are what logs begin with of which days were forgotten; and the rest is not under those keys, so that an
 * older backup would keep what the relay has destroyed since. A mailbox counts what is in it.
 */
const IN_KEYS: ReadonlySet<string> = new Set([
  'access_answers',
  'access_requests',
  'data_keys',
  'day_keys',
  'log_floors',
  'mail',
  'mailboxes',
  'one_time_pre_keys',
  'pre_key_bundles',
  'unlock_shares',
]);

/** What is of the moment, or of the database itself. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'keytide_migrations',
  'blob_drops',
  'clock_doubt',
  'relay_state',
  'relay_nodes',
  'sessions',
  'challenges',
]);

/**
 * What goes into which file of a backup: tables that later migrations bring are in the main one by themselves. Those
 * that reference another one come last, for they are loaded in this order; none of them is referenced itself.
 */
export async function tablesIn(
  runner: SqlRunner,
): Promise<{ readonly main: Table[]; readonly keys: Table[]; readonly leftOut: string[] }> {
  const rows = await runner.query(
    `select c.relname::text as name, a.attname::text as attname, format_type(a.atttypid, null) as type,
       (a.attidentity <> '')::text as identity
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by exists (select 1 from pg_constraint f where f.conrelid = c.oid and f.contype = 'f'), c.relname, a.attnum`,
  );
  const tables = new Map<string, Column[]>();
  for (const row of rows) {
    const columns = tables.get(row['name'] as string) ?? [];
    columns.push({
      name: row['attname'] as string,
      type: row['type'] as string,
      isIdentity: row['identity'] === 'true',
    });
    tables.set(row['name'] as string, columns);
  }
  const all = [...tables].map(([name, columns]) => ({ name, columns }));
  const kept = all.filter(({ name }) => !LEFT_OUT.has(name));
  return {
    main: kept.filter(({ name }) => !IN_KEYS.has(name)),
    keys: kept.filter(({ name }) => IN_KEYS.has(name)),
    leftOut: all.flatMap(({ name }) => (LEFT_OUT.has(name) && name !== 'keytide_migrations' ? [name] : [])),
  };
}

/** Rows that are read, and written, at once. */
const ROWS = 64;

/** The rows of a table, some at a time: bytes, numbers, text, booleans, null. */
export async function* rowsOf(
  runner: SqlRunner,
  { name, columns }: Table,
): AsyncGenerator<readonly (readonly SqlCell[])[], void, undefined> {
  const cursor = `keytide_${name}`;
  await runner.script(
    `declare ${cursor} no scroll cursor for select ${columns.map(quoted).join(', ')} from "${name}"`,
  );
  for (;;) {
    const rows = await runner.query(`fetch ${ROWS} from ${cursor}`);
    if (rows.length > 0) yield rows.map((row) => columns.map((column) => row[column.name] as SqlCell));
    if (rows.length < ROWS) break;
  }
  await runner.script(`close ${cursor}`);
}

/** What a column may hold. */
export type SqlCell = SqlValue | boolean;

/** Puts rows into a table. */
export async function putRows(
  runner: SqlRunner,
  { name, columns }: Table,
  rows: readonly (readonly SqlCell[])[],
): Promise<void> {
  // Statements are kept by the connection: one for full batches, one for the rest.
  if (rows.length < ROWS && rows.length > 1) {
    for (const row of rows) await putRows(runner, { name, columns }, [row]);
    return;
  }
  const tuples = rows.map((_row, i) => {
    const place = (j: number): string => `$${i * columns.length + j + 1}`;
    return `(${columns.map(({ type }, j) => (type === 'boolean' ? `${place(j)}::text::boolean` : `${place(j)}::${type}`)).join(', ')})`;
  });
  await runner.query(
    `insert into "${name}" (${columns.map(quoted).join(', ')}) overriding system value values ${tuples.join(', ')}`,
    rows.flat().map((cell) => (typeof cell === 'boolean' ? String(cell) : cell)),
  );
}

/** Lets the sequences of a table go on after what is in it. */
export async function advanceSequences(runner: SqlRunner, { name, columns }: Table): Promise<void> {
  for (const column of columns.filter(({ isIdentity }) => isIdentity))
    await runner.query(
      `select setval(pg_get_serial_sequence('"${name}"', '${column.name}'),
         coalesce((select max("${column.name}") from "${name}"), 0) + 1, false)`,
    );
}

function quoted({ name }: Column): string {
  return `"${name}"`;
}
