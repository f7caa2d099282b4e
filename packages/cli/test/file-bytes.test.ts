import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAgentConfig } from '../src/agent/config.ts';
import { readIdentities } from '../src/archive-identities.ts';
import { readRecipients } from '../src/archive-recipients.ts';
import { readFileBytes } from '../src/file-bytes.ts';
import { readShares } from '../src/given-shares.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-file-bytes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const unreadable = expect.objectContaining({ code: 'file-unreadable' });

test.each([0, 1, 64 * 1024, 64 * 1024 + 1])('a file of %i bytes is read up to its limit', async (size) => {
  const path = join(folder, `${size}`);
  const bytes = new Uint8Array(size).map((_, i) => i % 251);
  await writeFile(path, bytes);
  expect(await readFileBytes(path, size)).toEqual(bytes);
  if (size > 0) await expect(readFileBytes(path, size - 1)).rejects.toEqual(unreadable);
});

test('what is not there, or a folder, cannot be read', async () => {
  await expect(readFileBytes(join(folder, 'nothing'), 9)).rejects.toEqual(unreadable);
  await expect(readFileBytes(folder, 9)).rejects.toEqual(unreadable);
});

test.skipIf(process.platform === 'win32')('what never ends is read no further than it may be', async () => {
  const endless = '/dev/zero';
  for (const reading of [
    () => readFileBytes(endless, 1024),
    () => readIdentities(endless),
    () => readRecipients([endless]),
    () => readShares({} as never, [endless]),
  ])
    await expect(reading()).rejects.toEqual(unreadable);
  await expect(readAgentConfig(endless)).rejects.toMatchObject({ code: 'config-invalid' });
});

test.skipIf(process.platform === 'win32')('a pipe is read to its end', async () => {
  const path = join(folder, 'pipe');
  await promisify(execFile)('mkfifo', [path]);
  const reading = readFileBytes(path, 4);
  const pipe = await open(path, 'w');
  for (const byte of [1, 2, 3]) await pipe.write(Uint8Array.of(byte));
  await pipe.close();
  expect(await reading).toEqual(Uint8Array.of(1, 2, 3));
});
