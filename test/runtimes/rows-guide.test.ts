import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { JournalRows } from '@keytide/client/react-native';
import { journalConformance } from '@keytide/testkit/journal';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openRowJournal } from '../../packages/client/src/row-journal.ts';

// What the guide's code for a phone takes has the interface of expo-sqlite; here it is over a real SQLite file.
const page = new URL('../../docs/guides/app.md', import.meta.url);
let folder: string;
let rowsIn: (database: object) => Promise<JournalRows>;
let count = 0;
const databases: DatabaseSync[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-guide-'));
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)];
  const code = blocks.map((match) => match[1] as string).find((block) => block.includes('rowsIn(database'));
  const file = fileURLToPath(new URL('./.guide-rows.ts', import.meta.url));
  await writeFile(file, code as string);
  try {
    ({ rowsIn } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { rowsIn: typeof rowsIn });
  } finally {
    await rm(file);
  }
});
afterAll(async () => {
  for (const database of databases) database.close();
  await rm(folder, { recursive: true, force: true });
});

function place() {
  const path = join(folder, `${(count += 1)}.sqlite`);
  return () => {
    const sqlite = new DatabaseSync(path);
    databases.push(sqlite);
    return rowsIn({
      execAsync: async (sql: string) => sqlite.exec(sql),
      runAsync: async (sql: string, values: (string | number | Uint8Array)[]) =>
        sqlite.prepare(sql).run(...values),
      getAllAsync: async (sql: string, values: (string | number)[]) => sqlite.prepare(sql).all(...values),
    });
  };
}

journalConformance(
  'the rows of the guide, on SQLite',
  async () => {
    const open = place();
    const journal = async () => openRowJournal(await open(), 'group');
    return { create: journal, open: journal };
  },
  { describe, it },
);

test('the rows of the guide: lists are apart, and all but one can be removed', async () => {
  const rows = await place()();
  for (const list of ['group', 'outbox', '!wiped']) await rows.append(list, 0, [Uint8Array.of(1)]);
  await rows.cut('outbox', 0);
  expect(await Promise.all(['group', 'outbox', '!wiped'].map((list) => rows.count(list)))).toEqual([1, 0, 1]);
  await rows.clearAllBut('!wiped');
  expect(await Promise.all(['group', '!wiped'].map((list) => rows.count(list)))).toEqual([0, 1]);
});
