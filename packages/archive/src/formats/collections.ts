import { operationIn } from './operation.ts';
import { countsIn, type OpenedEntries } from './opened-entry.ts';

/** The collections of the messages that count, as they are first met: `log` for those of messages, `record` for those of records. */
export async function collectionsIn(entries: OpenedEntries): Promise<ReadonlyMap<string, 'log' | 'record'>> {
  const found = new Map<string, 'log' | 'record'>();
  for await (const { entry } of entries()) {
    if (entry.kind !== 'message' || !countsIn(entry)) continue;
    const operation = operationIn(entry.payload);
    if (operation === null || found.has(operation.collection)) continue;
    found.set(operation.collection, operation.act === 'append' ? 'log' : 'record');
  }
  return found;
}
