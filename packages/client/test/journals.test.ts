import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryNativePorts } from '@keytide/testkit/key-store';
import { journalConformance } from '@keytide/testkit/journal';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { afterAll, describe, expect, it, test } from 'vitest';
import { memoryJournal } from '../src/journal.ts';
import { destroyRows } from '../src/destroyed-rows.ts';
import { openFileJournal } from '../src/node/file-journal.ts';
import { openNativeDeviceStore } from '../src/react-native.ts';
import { openRowJournal, type JournalRows } from '../src/row-journal.ts';
import { memoryRows } from './memory-rows.ts';

const folders: string[] = [];
const files = new Set<{ close(): Promise<void> }>();
afterAll(async () => {
  for (const file of files) await file.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

journalConformance('memory', async () => ({ create: async () => memoryJournal(), open: null }), {
  describe,
  it,
});

journalConformance(
  'file',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keytide-journals-'));
    folders.push(folder);
    const open = async () => {
      const journal = await openFileJournal(join(folder, 'group.journal'));
      files.add(journal);
      return journal;
    };
    return { create: open, open };
  },
  { describe, it },
);

journalConformance(
  'rows',
  async () => {
    const rows = memoryRows();
    await rows.append('another', 0, [Uint8Array.of(1)]);
    const open = () => openRowJournal(rows, 'group');
    return { create: open, open };
  },
  { describe, it },
);

describe('a journal in rows', () => {
  test('is as it was when a writing failed', async () => {
    const rows = memoryRows();
    const journal = await openRowJournal(rows, 'group');
    await journal.append([Uint8Array.of(1)]);
    rows.failure = new Error('no room');
    const refused = [Uint8Array.of(2), Uint8Array.of(2)];
    await expect(journal.append(refused)).rejects.toBe(rows.failure);
    expect(await rows.count('group')).toBe(1);
    rows.failure = null;
    await journal.append([Uint8Array.of(3)]);
    expect(await journal.read(0)).toEqual([Uint8Array.of(1), Uint8Array.of(3)]);
  });

  test('takes nothing more when what a failed writing left cannot be removed', async () => {
    const rows = memoryRows();
    const { cut } = rows;
    const journal = await openRowJournal(rows, 'group');
    const failure = new Error('no room');
    rows.failure = failure;
    rows.cut = () => Promise.reject(new Error('nor for this'));
    await expect(journal.append([Uint8Array.of(2), Uint8Array.of(3)])).rejects.toBe(failure);
    rows.failure = null;
    rows.cut = cut;
    await expect(journal.append([Uint8Array.of(4)])).rejects.toBe(failure);
    expect(await rows.read('group', 0, 9)).toEqual([Uint8Array.of(2)]);
  });

  test('has a name of its own kind', async () => {
    for (const name of ['', '../x', 'Group', 'a b'])
      await expect(openRowJournal(memoryRows(), name)).rejects.toMatchObject({ code: 'store-damaged' });
  });
});

describe('a device store on a phone', () => {
  function phone() {
    const rows = memoryRows();
    const runtime = { primitives: nodePrimitives, random: nodeRandom };
    const ports = memoryNativePorts(runtime, { items: new Map(), blobs: new Map() });
    return { rows, open: () => openNativeDeviceStore({ ...ports, rows }, { name: 'app' }) };
  }

  test('keeps keys and journals', async () => {
    const { open } = phone();
    const store = await open();
    await store.keys.write([{ name: 'kept', value: Uint8Array.of(1) }]);
    await (await store.journal('group')).append([Uint8Array.of(2)]);
    await expect(open()).rejects.toMatchObject({ code: 'vault-locked' });
    await store.close();
    const again = await open();
    expect(await again.keys.get('kept')).toEqual(Uint8Array.of(1));
    expect(await (await again.journal('group')).read(0)).toEqual([Uint8Array.of(2)]);
  });

  test('is empty once it is destroyed', async () => {
    const { rows, open } = phone();
    const store = await open();
    await store.keys.write([{ name: 'kept', value: Uint8Array.of(1) }]);
    await (await store.journal('group')).append([Uint8Array.of(2)]);
    await rows.append('of-another-version', 0, [Uint8Array.of(3)]);
    expect(await store.wasDestroyed()).toBe(false);
    await store.destroy();
    expect([await rows.count('group'), await rows.count('of-another-version')]).toEqual([0, 0]);
    const fresh = await open();
    expect(await fresh.keys.names('')).toEqual([]);
    expect(await fresh.wasDestroyed()).toBe(true);
  });

  test('is destroyed to the end when it is opened after a crash', async () => {
    for (const step of ['keys', 'rows', 'note']) {
      const { rows, open } = phone();
      const store = await open();
      await store.keys.write([{ name: 'kept', value: Uint8Array.of(1) }]);
      await (await store.journal('group')).append([Uint8Array.of(2)]);
      const failing = new Error('the app is killed');
      let keysErased = 0;
      const killed: JournalRows = {
        ...rows,
        append: async (list, start, added) => {
          if (step === 'note' && start === 1) throw failing;
          await rows.append(list, start, added);
        },
        clearAllBut: async (list) => {
          if (step === 'rows') throw failing;
          await rows.clearAllBut(list);
        },
      };
      const dying = destroyRows(killed, async () => {
        keysErased += 1;
        if (step === 'keys') throw failing;
      });
      await expect(dying).rejects.toBe(failing);
      expect(keysErased).toBe(1);
      await store.close();
      const again = await open();
      expect(await again.keys.names('')).toEqual([]);
      expect(await rows.count('group')).toBe(0);
      expect(await again.wasDestroyed()).toBe(true);
    }
  });

  test('is destroyed also where there is no room for a note of it', async () => {
    const { rows, open } = phone();
    const store = await open();
    await (await store.journal('group')).append([Uint8Array.of(2)]);
    rows.failure = new Error('no room');
    await store.destroy().catch(() => null);
    rows.failure = null;
    expect(await rows.count('group')).toBe(0);
    expect(await (await open()).keys.names('')).toEqual([]);
  });
});
