import type { OpenedEntries } from '../opened-entry.ts';
import { readStates, type ChangePlace, type RecordOptions, type RecordState } from '../record-states.ts';
import { newFields } from './fields.ts';
import { fixedColumns, type Cell, type Table } from './table.ts';

/** Which records, how they are merged, and with columns for which of their fields; for all of them, as they are met. */
export interface StatesOptions extends RecordOptions {
  readonly fields?: readonly string[];
}

const COLUMNS = fixedColumns({
  ...{ group: 'text', item: 'text', state: 'text', changes: 'integer', rejected: 'integer' },
  ...{ firstSeq: 'integer', firstTime: 'time', firstName: 'text', firstMember: 'text', firstDevice: 'text' },
  ...{ lastSeq: 'integer', lastTime: 'time', lastName: 'text', lastMember: 'text', lastDevice: 'text' },
});

/** A row for each record. */
export async function statesTable(
  entries: OpenedEntries,
  { fields: chosen, ...options }: StatesOptions,
): Promise<Table> {
  const states = await readStates(entries, options);
  const fields = newFields();
  for (const { body } of states.all()) fields.see(body);
  const { columns, cells } = fields.columns(chosen);
  async function* rows(): AsyncGenerator<readonly Cell[], void, undefined> {
    for (const state of states.all()) yield [...before(state), ...cells(state.body)];
  }
  return { columns: [...COLUMNS, ...columns], rows: rows() };
}

function before({ group, id, state, changes, rejected, first, last }: RecordState): Cell[] {
  return [group, id, state, changes, rejected, ...placeCells(first), ...placeCells(last)];
}

function placeCells({ seq, ms, name, member, device }: ChangePlace): Cell[] {
  return [seq, ms, name ?? undefined, member, device];
}
