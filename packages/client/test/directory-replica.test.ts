import { memoryKeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { expect, test } from 'vitest';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { memoryJournal, type Journal } from '../src/journal.ts';
import { groupWorld } from './group-world.ts';

/** A journal on a disk that is full at the `failing` step. */
function onFullDisk(journal: Journal, disk: { failing: 'append' | 'flush' | null }): Journal {
  const step = async (name: 'append' | 'flush', work: () => Promise<void>): Promise<void> => {
    if (disk.failing === name) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    await work();
  };
  return {
    get length() {
      return journal.length;
    },
    read: (start, end) => journal.read(start, end),
    append: (records) => step('append', () => journal.append(records)),
    flush: () => step('flush', () => journal.flush()),
    clear: () => journal.clear(),
  };
}

test.each(['append', 'flush'] as const)(
  'an entry counts only once it is stored: a full disk at %s changes nothing',
  async (failing) => {
    const { genesis, secondEntry, state } = await groupWorld();
    const disk: { failing: 'append' | 'flush' | null } = { failing: null };
    const journal = onFullDisk(memoryJournal(), disk);
    const keyStore = memoryKeyStore();
    const directory = await DirectoryReplica.open({ primitives, journal, keyStore, org: state.org });
    await directory.append([genesis]);
    disk.failing = failing;
    await expect(directory.append([secondEntry])).rejects.toMatchObject({ code: 'ENOSPC' });
    expect([directory.size, directory.state.size, directory.has(secondEntry)]).toEqual([1, 1, false]);
    expect(directory.rootAt(2)).toBeNull();

    // With room again, nothing is stored twice: whoever opens the journal anew finds the log as it is.
    disk.failing = null;
    await directory.append([secondEntry]).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'store-damaged' });
    });
    const again = await DirectoryReplica.open({ primitives, journal, keyStore, org: state.org });
    expect(again.has(secondEntry)).toBe(true);
    expect(again.size).toBe(2);
  },
);
