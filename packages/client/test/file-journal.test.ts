import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFileJournal } from '../src/node.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-journal-'));
  path = join(folder, 'sub', 'group.journal');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const records = [Uint8Array.of(1, 2, 3), Uint8Array.of(0), new Uint8Array(70_000).fill(7), Uint8Array.of(9)];

async function fill(): Promise<Uint8Array> {
  const journal = await openFileJournal(path);
  await journal.append(records.slice(0, 2));
  await journal.append(records.slice(2));
  await journal.flush();
  await journal.close();
  return await readFile(path);
}

describe('a journal file', () => {
  test('gives back what was appended, after it was opened again', async () => {
    await fill();
    const journal = await openFileJournal(path);
    expect(journal.length).toBe(4);
    expect(await journal.read(0)).toEqual(records);
    expect(await journal.read(1, 3)).toEqual(records.slice(1, 3));
    expect(await journal.read(4)).toEqual([]);
    await journal.close();
  });

  test('cut at any byte opens with the whole records before the cut, and goes on', async () => {
    const bytes = await fill();
    const ends = [15, 24, 24 + 8 + 70_000, bytes.length];
    const cuts = [...Array.from({ length: 40 }, (_, i) => i), 70_030, 70_031, 70_032, bytes.length - 1];
    for (const cut of cuts) {
      await writeFile(path, bytes);
      await truncate(path, cut);
      const journal = await openFileJournal(path);
      const whole = ends.filter((end) => end <= cut).length;
      expect(await journal.read(0), `cut at ${cut}`).toEqual(records.slice(0, whole));
      await journal.append([Uint8Array.of(42)]);
      await journal.close();
      const again = await openFileJournal(path);
      expect((await again.read(0)).at(-1)).toEqual(Uint8Array.of(42));
      expect(again.length).toBe(whole + 1);
      await again.close();
    }
  });

  test('never gives a record in which a byte was altered', async () => {
    const bytes = await fill();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, x) => {
          const altered = Uint8Array.from(bytes);
          altered[at] = (altered[at] as number) ^ x;
          await writeFile(path, altered);
          const journal = await openFileJournal(path);
          const read = await journal.read(0);
          await journal.close();
          expect(read).toEqual(records.slice(0, read.length));
          expect(read.length).toBeLessThan(records.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('ends where a power cut left zeros', async () => {
    const bytes = await fill();
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(64)]));
    const journal = await openFileJournal(path);
    expect(await journal.read(0)).toEqual(records);
    await expect(journal.append([new Uint8Array(0)])).rejects.toMatchObject({ code: 'store-damaged' });
    await journal.close();
  });

  test('of another format is refused and left as it is', async () => {
    await fill();
    await writeFile(path, 'something else entirely');
    await expect(openFileJournal(path)).rejects.toMatchObject({ code: 'store-damaged' });
    expect(await readFile(path, 'utf8')).toBe('something else entirely');
  });

  test('is empty and durable after it was cut', async () => {
    await fill();
    const journal = await openFileJournal(path);
    await journal.cut(0);
    await journal.append([Uint8Array.of(5)]);
    await journal.close();
    const again = await openFileJournal(path);
    expect(await again.read(0)).toEqual([Uint8Array.of(5)]);
    await again.close();
  });
});
