import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { destinationConformance, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { exportArchive, verifyArchive } from '../../src/index.ts';
import { openZip, zipDestination, type ZipDestination } from '../../src/node.ts';
import { centralDirectory, headerBytes, localHeader } from '../../src/node/zip-record.ts';
import { contentOf, identities, optionsFor, someDays } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';
import type { WorldSource } from '../world-source.ts';
import { leaveRoom } from './full-disk.ts';

const README = 'data/README-DECRYPT.txt';
const BLOB = `data/attachments/${'ab'.repeat(32)}.age`;
let home: string;
let source: WorldSource;
const opened: ZipDestination[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'keytide zip destination '));
  source = await someDays();
});
afterAll(async () => {
  for (const zip of opened) await zip.close();
  await rm(home, { recursive: true, force: true });
});

let places = 0;
const newPath = (): string => {
  places += 1;
  return join(home, `${places}.zip`);
};
function at(path: string): ZipDestination {
  const zip = zipDestination(path);
  opened.push(zip);
  return zip;
}
const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

destinationConformance(
  'a ZIP file',
  async () => {
    const path = newPath();
    return {
      open: async () => at(path),
      leaveRoom: async (sizeBytes) =>
        leaveRoom(sizeBytes === null ? null : sizeBytes + (await sizeOf(`${path}.unfinished`))),
    };
  },
  { describe, it },
);

test('an archive is a ZIP file when it is whole, and not before; then it stays as it is', async () => {
  const path = newPath();
  const expected = memoryDestination();
  await exportArchive(optionsFor(source, expected));
  const zip = at(path);
  const before: string[][] = [];
  const watching = {
    ...zip,
    async remove(name: string) {
      if (name === 'plan.json') before.push(await readdir(home));
      await zip.remove(name);
    },
  };
  await exportArchive(optionsFor(source, watching));
  const [name] = path.split('/').slice(-1) as [string];
  expect(before[0]).toContain(`${name}.unfinished`);
  expect(before[0]).not.toContain(name);
  expect(await readdir(home)).toContain(name);
  expect(await readdir(home)).not.toContain(`${name}.unfinished`);
  for (const files of [zip, at(path)]) {
    expect(await contentOf(files)).toEqual(await contentOf(expected));
    expect(await verifyArchive({ primitives, files, identities })).toMatchObject({ verdict: 'sound' });
    await expect(files.write(README, [])).rejects.toMatchObject({ code: 'not-empty' });
    await expect(exportArchive(optionsFor(source, files))).rejects.toMatchObject({ code: 'not-empty' });
  }
  // As another program reads it: plan.json is not in it.
  const list: string[] = [];
  const read = await openZip(path);
  for await (const { name: found } of read.list()) list.push(found);
  read.close();
  expect(list.toSorted()).toEqual([...expected.files.keys()].toSorted());
});

test('what was begun takes the place of no archive that came to its name meanwhile', async () => {
  const path = newPath();
  const begun = at(path);
  await begun.write('plan.json', [Uint8Array.of(1)]);
  await begun.write(README, [Uint8Array.of(2)]);
  const another = newPath();
  await exportArchive(optionsFor(source, at(another)));
  const whole = await readFile(another);
  await writeFile(path, whole);
  const refused = expect.objectContaining({ code: 'not-empty' }) as unknown;
  await expect(exportArchive(optionsFor(source, at(path)))).rejects.toEqual(refused);
  // Also of one that was looked at before.
  await expect(begun.remove('plan.json')).rejects.toEqual(refused);
  expect((await readFile(path)).equals(whole)).toBe(true);
  await rm(path);
  await begun.remove('plan.json');
  const names: string[] = [];
  for await (const { name } of at(path).list()) names.push(name);
  expect(names).toEqual([README]);
});

test('of two that begin at once, one is refused', async () => {
  const path = newPath();
  const [one, two] = [at(path), at(path)];
  const beginnings = await Promise.allSettled([one, two].map((zip) => zip.write('plan.json', [])));
  const refusals = beginnings.filter((settled) => settled.status === 'rejected');
  expect(refusals).toMatchObject([{ reason: { code: 'other-export' } }]);
});

test('cut off anywhere, or with a header that never came, an export goes on to the same archive', async () => {
  const path = newPath();
  const zip = at(path);
  const unfinished = {
    ...zip,
    async remove() {
      throw new Error('killed');
    },
  };
  await expect(exportArchive(optionsFor(source, unfinished))).rejects.toThrow('killed');
  const expected = await contentOf(zip);
  const bytes = await readFile(`${path}.unfinished`);
  const random = seededRandom('cuts');
  const points = Array.from({ length: 12 }, () => {
    const [a, b, c] = random(3) as unknown as [number, number, number];
    return (a * 65_536 + b * 256 + c) % bytes.length;
  });
  const torn = new Uint8Array(bytes);
  const header = bytes.lastIndexOf(Buffer.from('PK\u0003\u0004'));
  torn.fill(0, header, header + headerBytes('tagmanifest-sha256.txt'));
  const flipped = new Uint8Array(bytes);
  flipped[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  for (const left of [torn, flipped, ...points.map((point) => bytes.subarray(0, point))]) {
    const again = newPath();
    await writeFile(`${again}.unfinished`, left);
    const files = at(again);
    await exportArchive(optionsFor(source, files));
    expect(await contentOf(files), `${left.length} of ${bytes.length} bytes`).toEqual(
      new Map([...expected].filter(([name]) => name !== 'plan.json')),
    );
    expect(await verifyArchive({ primitives, files, identities })).toMatchObject({ verdict: 'sound' });
  }
});

test('what a writing that was broken off has left is never taken for a file', async () => {
  const path = newPath();
  const zip = at(path);
  await zip.write(README, [Uint8Array.of(1)]);
  // A header as it would stand, behind the room for the one of the file that is broken off.
  const forged = localHeader({ name: 'bagit.txt', sizeBytes: 0, crc: 0 });
  async function* cut() {
    yield forged;
    yield forged;
    throw new Error('broken off');
  }
  const position = headerBytes(BLOB) - headerBytes('signed-manifest');
  async function* shifted() {
    yield new Uint8Array(1);
    yield* cut();
  }
  expect(position).toBeGreaterThan(0);
  await expect(zip.write(BLOB, shifted())).rejects.toThrow('broken off');
  await zip.write('signed-manifest', [Uint8Array.of(2)]);
  await zip.remove('signed-manifest');
  const names: string[] = [];
  for await (const { name } of at(path).list()) names.push(name);
  expect(names).toEqual([README]);
});

test('what a killed process has left is cut off, and a last file that is not what its header says', async () => {
  const path = newPath();
  const draft = `${path}.unfinished`;
  await at(path).write(README, [Uint8Array.of(1, 2, 3)]);
  const whole = await readFile(draft);
  const hole = new Uint8Array(headerBytes('signed-manifest'));
  await writeFile(
    draft,
    Buffer.concat([whole, hole, localHeader({ name: 'bagit.txt', sizeBytes: 0, crc: 0 })]),
  );
  await at(path).write('signed-manifest', []);
  const namesIn = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of at(path).list()) names.push(name);
    return names;
  };
  expect(await namesIn()).toEqual([README, 'signed-manifest']);
  const altered = new Uint8Array(whole);
  altered[whole.length - 1] = 4;
  for (const left of [altered, whole.subarray(0, -1)]) {
    await writeFile(draft, left);
    expect(await namesIn()).toEqual([]);
  }
});

test('files and archives over 4 GiB are what other programs read', async () => {
  const path = newPath();
  const sizeBytes = 5 * 1024 ** 3;
  const large = { name: BLOB, offset: 0, sizeBytes, crc: 0 };
  const offset = headerBytes(BLOB) + sizeBytes;
  const small = { name: README, offset, sizeBytes: 3, crc: 0x5_5bc801d };
  const end = offset + headerBytes(README) + 3;
  const file = await open(path, 'w');
  await file.write(localHeader(large), 0, null, 0);
  await file.write(localHeader(small), 0, null, offset);
  await file.write(Uint8Array.of(1, 2, 3), 0, 3, end - 3);
  let position = end;
  for (const piece of centralDirectory([large, small], end)) {
    await file.write(piece, 0, null, position);
    position += piece.length;
  }
  await file.close();
  const zip = await openZip(path);
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes: size } of zip.list()) sizes.set(name, size);
  expect(sizes).toEqual(
    new Map([
      [BLOB, sizeBytes],
      [README, 3],
    ]),
  );
  expect((await zip.digest(README)).sha256).toEqual(primitives.sha256(Uint8Array.of(1, 2, 3)));
  zip.close();
});
