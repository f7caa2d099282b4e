import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { KeyStore, Random } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { keyStoreConformance } from '@keytide/testkit/key-store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What the guide's code for a phone takes; the interfaces are those of expo-secure-store and expo-sqlite. */
type OpenKeys = (
  secureStore: object,
  database: object,
  random: Random,
  startAgain: () => Promise<boolean>,
) => Promise<KeyStore>;

const page = new URL('../../docs/guides/key-stores.md', import.meta.url);
let folder: string;
let openKeys: OpenKeys;
let count = 0;
const databases: DatabaseSync[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-guide-'));
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)];
  const code = blocks.map((match) => match[1] as string).find((block) => block.includes('openKeys'));
  // Beside this file, so that its imports are found.
  const file = fileURLToPath(new URL('./.guide-key-stores.ts', import.meta.url));
  await writeFile(file, code as string);
  try {
    ({ openKeys } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { openKeys: OpenKeys });
  } finally {
    await rm(file);
  }
});
afterAll(async () => {
  for (const database of databases) database.close();
  await rm(folder, { recursive: true, force: true });
});

/** A phone: a real SQLite file, and a keystore over a map. */
function phone() {
  const path = join(folder, `${(count += 1)}.sqlite`);
  const items = new Map<string, string>();
  const secureStore = {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 1,
    getItemAsync: async (name: string) => items.get(name) ?? null,
    setItemAsync: async (name: string, value: string) => void items.set(name, value),
    deleteItemAsync: async (name: string) => void items.delete(name),
  };
  const connect = () => {
    const sqlite = new DatabaseSync(path);
    databases.push(sqlite);
    return {
      execAsync: async (sql: string) => sqlite.exec(sql),
      runAsync: async (sql: string, values: (string | Uint8Array)[]) => sqlite.prepare(sql).run(...values),
      getFirstAsync: async (sql: string, values: string[]) => sqlite.prepare(sql).get(...values) ?? null,
    };
  };
  const open = (startAgain = async () => false) => openKeys(secureStore, connect(), nodeRandom, startAgain);
  return { items, open, kept: async () => [new Uint8Array(await readFile(path))] };
}

async function onSqlite() {
  const { open, kept } = phone();
  return { create: () => open(), open: () => open(), beside: null, crash: () => open(), kept };
}
keyStoreConformance('the phone of the guide, on SQLite', onSqlite, { describe, it });

describe('the phone of the guide', () => {
  it('starts again only when the person agrees', async () => {
    const { items, open } = phone();
    const store = await open();
    await store.write([{ name: 'kept', value: Uint8Array.of(1) }]);
    await store.close();
    items.clear();
    await expect(open()).rejects.toMatchObject({ code: 'device-key-lost' });
    const fresh = await open(async () => true);
    expect(await fresh.names('')).toEqual([]);
    await fresh.close();
  });
});
