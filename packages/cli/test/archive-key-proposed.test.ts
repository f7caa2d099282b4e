import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRelay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, expect, test } from 'vitest';
import { makeArchiveKey } from '../src/commands/archive-key-make.ts';
import { createOrg } from '../src/commands/org-create.ts';
import type { Context } from '../src/context.ts';
import type { Output } from '../src/output.ts';

const folder = await mkdtemp(join(tmpdir(), 'keytide-proposed-'));
const relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
afterAll(async () => {
  await relay.close();
  await rm(folder, { recursive: true, force: true });
});

/** Works as ada, whose words go there. */
function ada(said: Partial<Output> = {}): Context {
  const output = { json: false, result: () => {}, event: () => {}, note: () => {}, ...said };
  const env = { KEYTIDE_PASSPHRASE: 'correct horse battery' };
  const passphrase = { fd: null, env, findPrompt: () => null };
  const { signal } = new AbortController();
  return { home: join(folder, 'ada'), timeoutMs: 15_000, output, passphrase, signal };
}

test('the sheets stay as long as a proposal that names their key is there, whatever failed', async () => {
  await createOrg(ada(), { relay: relay.url, name: 'ada' });
  const options = (out: string, propose: string) => ({
    ...{ name: ['Ana', 'Bram'], needed: '2' },
    ...{ out: join(folder, out), propose: join(folder, propose) },
  });
  const full = new Error('no room for what is said');
  const mute = (): never => {
    throw full;
  };
  await expect(makeArchiveKey(ada({ result: mute }), options('key', 'proposal'))).rejects.toBe(full);
  expect((await stat(join(folder, 'proposal'))).size).toBeGreaterThan(1000);
  expect((await readdir(join(folder, 'key'))).toSorted()).toEqual([
    'archive-key.set',
    'recipient.txt',
    'share-1-Ana.txt',
    'share-2-Bram.txt',
  ]);
  // A file of something else, and no file: nobody can submit that.
  await writeFile(join(folder, 'other'), 'other');
  for (const [propose, code] of [
    ['other', 'file-exists'],
    ['no/such/folder', 'ENOENT'],
  ] as const) {
    await expect(makeArchiveKey(ada(), options('never', propose))).rejects.toMatchObject({ code });
    await expect(stat(join(folder, 'never'))).rejects.toMatchObject({ code: 'ENOENT' });
  }
  expect((await stat(join(folder, 'other'))).size).toBe(5);
});
