import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportArchive, verifyArchive } from '../../src/index.ts';
import { openZip, writeZip } from '../../src/node.ts';
import { optionsFor, someDays } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide zip '));
  path = join(folder, 'archive.zip');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('an archive in a ZIP file', () => {
  it('has the same files, by name, length and content', async () => {
    const archive = await anArchive();
    await writeZip(archive, path);
    const zip = await openZip(path);
    const sizes = new Map<string, number>();
    for await (const { name, sizeBytes } of zip.list()) sizes.set(name, sizeBytes);
    expect(sizes).toEqual(new Map([...archive.files].map(([name, bytes]) => [name, bytes.length])));
    for (const name of archive.files.keys())
      expect(await zip.digest(name)).toEqual(await archive.digest(name));
    zip.close();
  });

  it('is the same file each time', async () => {
    const archive = await anArchive();
    await writeZip(archive, path);
    await writeZip(archive, join(folder, 'again.zip'));
    expect((await readFile(path)).equals(await readFile(join(folder, 'again.zip')))).toBe(true);
  });

  it('that could not be written leaves what was there', async () => {
    const archive = await anArchive();
    await writeFile(path, 'what was there');
    const failing = {
      ...archive,
      async *read() {
        yield Uint8Array.of(1);
        throw new Error('lost');
      },
    };
    await expect(writeZip(failing, path)).rejects.toThrow('lost');
    const stopping = new AbortController();
    const stopped = writeZip(archive, path, { signal: stopping.signal, onFile: () => stopping.abort() });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readFile(path, 'utf8')).toBe('what was there');
    expect(await readdir(folder)).toEqual(['archive.zip']);
  });

  it('with a file whose beginning is damaged has one that is malformed, and is verified', async () => {
    await writeZip(await anArchive(), path);
    const bytes = await readFile(path);
    const header = Buffer.from('PK\u0003\u0004');
    let at = bytes.indexOf(header);
    while (
      !bytes
        .subarray(at + 30)
        .toString('latin1', 0, 21)
        .startsWith('data/membership.jsonl')
    )
      at = bytes.indexOf(header, at + 1);
    bytes.writeUInt32LE(0, at);
    await writeFile(path, bytes);
    const zip = await openZip(path);
    const { findings } = await verifyArchive({ primitives, files: zip });
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'malformed', file: 'data/membership.jsonl' }),
    );
    zip.close();
  });

  it('that was cut short, or is none, is refused', async () => {
    await writeZip(await anArchive(), path);
    const { length } = await readFile(path);
    for (const size of [length - 1, Math.floor(length / 2), 0]) {
      await truncate(path, size);
      await expect(openZip(path)).rejects.toMatchObject({ code: 'malformed' });
    }
    await expect(openZip(join(folder, 'nothing.zip'))).rejects.toMatchObject({ code: 'missing-file' });
  });
});

async function anArchive() {
  const archive = memoryDestination();
  await exportArchive(optionsFor(await someDays(), archive));
  return archive;
}
