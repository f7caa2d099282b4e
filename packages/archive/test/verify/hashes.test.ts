import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { beforeAll, expect, it } from 'vitest';
import { exportArchive, verifyArchive, type ArchiveFiles } from '../../src/index.ts';
import { optionsFor, someDays } from '../exporting.ts';
import { copyOf } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';

let archive: MemoryDestination;

beforeAll(async () => {
  archive = memoryDestination();
  await exportArchive(optionsFor(await someDays(), archive));
});

/** A place that hands out what was asked for last first, and says how much is under way. */
function lastFirst(files: ArchiveFiles): { place: ArchiveFiles; underWay(): number; most(): number } {
  const waiting: (() => void)[] = [];
  let [running, most] = [0, 0];
  async function digest(name: string) {
    running += 1;
    most = Math.max(most, running);
    try {
      await new Promise<void>((go) => {
        waiting.push(go);
        setImmediate(() => waiting.pop()?.());
      });
      return await files.digest(name);
    } finally {
      running -= 1;
    }
  }
  return { place: { ...files, digest }, underWay: () => running, most: () => most };
}

it('says the same in the same order, whichever file is read first, and reads four at most', async () => {
  const altered = copyOf(archive);
  for (const [name, bytes] of altered.files)
    if (name.endsWith('.json')) altered.files.delete(name);
    else if (name.startsWith('data/')) bytes[0]! ^= 1;
  const { place, most } = lastFirst(altered);
  const { findings } = await verifyArchive({ primitives, files: place });
  const wrong = findings.filter(({ code }) => code === 'hash-mismatch').map(({ file }) => file);
  expect(wrong.length).toBeGreaterThan(4);
  expect(wrong).toEqual(wrong.toSorted());
  expect(findings).toEqual((await verifyArchive({ primitives, files: altered })).findings);
  expect(most()).toBe(4);
});

it('leaves nothing under way when it is stopped, or when the place fails', async () => {
  const stopping = new AbortController();
  const stopped = lastFirst(archive);
  const verified = verifyArchive({
    ...{ primitives, files: stopped.place, signal: stopping.signal },
    onProgress: ({ level, done }) => {
      if (level === 'hashes' && done > 0) stopping.abort();
    },
  });
  await expect(verified).rejects.toMatchObject({ name: 'AbortError' });
  expect([stopped.underWay(), stopped.most()]).toEqual([0, 4]);

  const failing = lastFirst({
    ...archive,
    digest: (name) => (name.endsWith('.age') ? Promise.reject(new Error('no disk')) : archive.digest(name)),
  });
  await expect(verifyArchive({ primitives, files: failing.place })).rejects.toThrow('no disk');
  expect(failing.underWay()).toBe(0);
});
