import { operationIn, type Operation } from '../operation.ts';
import type { MessageEntry, OpenedEntries, OpenedEntry } from '../opened-entry.ts';
import { newFields } from './fields.ts';
import { fixedColumns, type Cell, type Table } from './table.ts';

/** What is said of which collection; columns for these fields of its bodies, or for all, as they are met. */
export interface ChangesOptions {
  readonly collection: string;
  readonly fields?: readonly string[];
}

const COLUMNS = fixedColumns({
  ...{ group: 'text', seq: 'integer', time: 'time', counter: 'integer', act: 'text', item: 'text' },
  ...{ name: 'text', member: 'text', role: 'text', device: 'text', invalid: 'text' },
});

/** A row for each message of a log and each change of a record. `isTyped`: the columns of fields are to have types. */
export async function changesTable(
  entries: OpenedEntries,
  { collection, fields: chosen }: ChangesOptions,
  isTyped: boolean,
): Promise<Table> {
  const fields = newFields();
  if (isTyped || chosen === undefined)
    for await (const { operation } of saidIn(entries, collection)) fields.see(operation.body);
  const { columns, cells } = fields.columns(chosen);
  async function* rows(): AsyncGenerator<readonly Cell[], void, undefined> {
    for await (const said of saidIn(entries, collection))
      yield [...before(said), ...cells(said.operation.body)];
  }
  return { columns: [...COLUMNS, ...columns], rows: rows() };
}

interface Said extends Pick<OpenedEntry, 'group' | 'name'> {
  readonly entry: MessageEntry;
  readonly operation: Operation;
}

async function* saidIn(entries: OpenedEntries, collection: string): AsyncGenerator<Said, void, undefined> {
  for await (const { group, name, entry } of entries()) {
    if (entry.kind !== 'message') continue;
    const operation = operationIn(entry.payload);
    if (operation?.collection === collection) yield { group, name, entry, operation };
  }
}

function before({ group, name, entry, operation }: Said): Cell[] {
  const { seq, member, role, sender, invalid } = entry;
  const { ms, counter, act, item } = operation;
  return [group, seq, ms, counter, act, item, name ?? undefined, member, role, sender, invalid ?? undefined];
}
