import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { expect, test } from 'vitest';
import { attachmentFile } from '../../src/container/names.ts';
import { verifiedFiles } from '../../src/open/verified-files.ts';
import { memoryDestination } from '../memory-destination.ts';

test.each([
  ['a file that is kept', 70_000],
  ['a file that is too long to be kept', 9 * 1024 * 1024],
])('nothing of %s is given unless all of it is what was written', async (_, sizeBytes) => {
  const place = memoryDestination();
  const name = attachmentFile('ab'.repeat(32));
  const { sha256 } = await place.write(name, [new Uint8Array(sizeBytes).fill(7)]);
  const files = verifiedFiles(primitives, place, new Map([[name, sha256]]));
  const given = async (): Promise<number> => {
    let count = 0;
    for await (const piece of files.read(name)) count += piece.length;
    return count;
  };
  expect(await given()).toBe(sizeBytes);
  (place.files.get(name) as Uint8Array)[sizeBytes - 1] = 8;
  await expect(files.read(name)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'damaged' });
});
