import { mkdtemp, readdir, readFile, rm, stat, writeFile, cp, glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportArchive, printIdentity, printRecipient } from '@keytide/archive';
import { folderDestination, writeZip } from '@keytide/archive/node';
import { readJsonLines } from '@keytide/archive/formats';
import { createPolicyChange } from '@keytide/key-directory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { optionsFor, said, someDays } from '../../archive/test/exporting.ts';
import { leaveRoom } from '../../archive/test/node/full-disk.ts';
import type { WorldSource } from '../../archive/test/world-source.ts';
import { readIdentities } from '../src/archive-identities.ts';
import { approveExport } from '../src/commands/approve-export.ts';
import { openWithKey } from '../src/commands/open.ts';
import { showArchiveStats } from '../src/commands/stats.ts';
import { verifyArchiveAt } from '../src/commands/verify.ts';
import type { Work } from '../src/context.ts';
import { EXIT } from '../src/exit-codes.ts';
import { describeFailure } from '../src/failure.ts';
import type { OpenChoice } from '../src/open-archive.ts';
import { newPlainFolder } from '../src/plain-folder.ts';
import { here } from './here.ts';

let folder: string;
let source: WorldSource;
let archive: string;
const at = (...names: string[]): string => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-open-'));
  source = await someDays();
  const photo = { ...said(1, 6, { text: 'look' }), attachments: [Uint8Array.of(7, 7)] };
  const texts = { title: 'water', reportedAt: '', township: '', address: '', status: 'open' };
  const id = `${'ab'.repeat(16)}${source.world.members[0].id}`;
  const request = { lat: null, lng: null, ...texts };
  await source.day([photo, { by: 0, content: [1, 1, 'requests', id, 7, 0, request] }]);
  archive = at('archive');
  await exportArchive(optionsFor(source, folderDestination(archive)));
  await writeFile(at('key.txt'), `# the archive key\n${printIdentity(new Uint8Array(32).fill(0x5e))}\n`);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Opens it to a folder of this name. */
function opening(to: string, choice: Partial<OpenChoice> = {}, path = archive, key = 'key.txt'): Work {
  const all = { to: at(to), key: at(key), format: [], member: [], collection: [], ...choice };
  return (context) => openWithKey(context, path, all);
}

test('an archive is opened into a new folder, for its owner alone, with what a person expects', async () => {
  const [code, result] = await here(opening('opened'));
  expect([code, result]).toMatchObject([
    EXIT.ok,
    {
      formats: ['html', 'jsonl'],
      leftOut: [],
      damaged: [],
      verification: { verdict: 'sound', findings: [{ weight: 'note' }] },
    },
  ]);
  expect((result as { verification: { levels: string[] } }).verification.levels).toContain('decryption');
  expect((await readdir(at('opened'))).toSorted()).toEqual([
    ...['ABOUT.txt', 'attachments', 'entries.jsonl', 'index.html', 'pages', 'records'],
  ]);
  const lines = readJsonLines([await readFile(at('opened', 'entries.jsonl'))]);
  const entries: unknown[] = [];
  for await (const { entry } of lines) entries.push(entry);
  expect(entries).toEqual(source.log);
  expect(await readFile(at('opened', 'pages', '000001.html'), 'utf8')).toContain('look');
  const sizes: number[] = [];
  for (const name of await readdir(at('opened', 'attachments')))
    sizes.push((await stat(at('opened', 'attachments', name))).size);
  expect(sizes.toSorted((a, b) => a - b)).toEqual([2, 70_000]);
  const about = await readFile(at('opened', 'ABOUT.txt'), 'utf8');
  expect(about).toContain('PLAINTEXT');
  expect(about).toMatch(/^Verified +sound; 1 of 7 messages cannot be read; looked at/m);
  expect(about).toMatch(/^entries\.jsonl /m);
  if (process.platform === 'win32') return;
  for await (const name of glob('**', { cwd: at('opened') })) {
    const found = await stat(at('opened', name));
    expect(found.mode & 0o777, name).toBe(found.isDirectory() ? 0o700 : 0o600);
  }
});

test('tables, mails, what one member wrote, and a ZIP file', async () => {
  await writeZip(folderDestination(archive), at('archive.zip'));
  const choice = { format: ['csv', 'eml'], member: ['member-1'] } as const;
  expect(await here(opening('tables', choice, at('archive.zip')))).toMatchObject([EXIT.ok, { files: 4 }]);
  expect((await readdir(at('tables', 'csv'))).toSorted()).toEqual(['chat.csv']);
  expect((await readFile(at('tables', 'csv', 'chat.csv'), 'utf8')).split('\r\n')).toHaveLength(4);
  expect(await readdir(at('tables', 'attachments'))).toHaveLength(1);
  const about = await readFile(at('tables', 'ABOUT.txt'), 'utf8');
  expect(about).toMatch(/^Chosen +only what is from member-1 \([0-9a-f]{8}\)$/m);
  expect(about).toMatch(/^csv +a table/m);
  expect(about).not.toMatch(/entries\.jsonl|index\.html|parquet/);
  const all = { format: ['csv', 'parquet'] } as const;
  expect(await here(opening('all tables', all))).toMatchObject([EXIT.ok, { files: 8 }]);
  expect((await readdir(at('all tables', 'csv'))).toSorted()).toEqual([
    ...['chat.csv', 'requests.csv', 'requests.now.csv'],
  ]);
  expect(await readFile(at('all tables', 'csv', 'requests.now.csv'), 'utf8')).toContain('water');
  expect(await readdir(at('all tables', 'parquet'))).toHaveLength(3);
  expect(await here(opening('nobodys', { member: ['member-9'] }))).toEqual([EXIT.usage, 'unknown-member']);
  expect(await here(opening('never', { from: 2, until: 2 }))).toEqual([EXIT.usage, 'usage']);
  expect([await there('nobodys'), await there('never')]).toEqual([false, false]);
});

test('nothing is written over, into the archive, or beside what an earlier run has left', async () => {
  await writeFile(at('file'), 'mine');
  expect(await here(opening('file'))).toEqual([EXIT.usage, 'file-exists']);
  expect(await readFile(at('file'), 'utf8')).toBe('mine');
  await writeFile(at('left.unfinished'), 'left');
  expect(await here(opening('left'))).toEqual([EXIT.usage, 'file-exists']);
  expect(await here(opening('archive/opened'))).toEqual([EXIT.usage, 'usage']);
  expect(await here(opening('archive/data/opened'))).toEqual([EXIT.usage, 'usage']);
  expect(await there('archive/opened')).toBe(false);
});

test('a place that is not there is said to be that', async () => {
  expect(await here(opening('x', {}, at('nowhere')))).toEqual([EXIT.usage, 'not-there']);
  expect(await here(opening('x', {}, at('file', 'in it')))).toEqual([EXIT.usage, 'not-there']);
  expect(await here((context) => showArchiveStats(context, at('nowhere')))).toEqual([
    EXIT.usage,
    'not-there',
  ]);
  const verified = (path: string) => here((context) => verifyArchiveAt(context, path, {}));
  expect(await verified(at('nowhere'))).toEqual([EXIT.usage, 'not-there']);
  expect(await here(opening('no/such/folder'))).toEqual([EXIT.usage, 'not-there']);
  // No archive, and a ZIP file that was cut: as a folder that is not whole.
  expect(await verified(at('key.txt'))).toEqual([EXIT.unsound, 'malformed']);
  const zip = await readFile(at('archive.zip'));
  await writeFile(at('cut.zip'), zip.subarray(0, zip.length / 2));
  expect(await verified(at('cut.zip'))).toEqual([EXIT.unsound, 'malformed']);
});

test('where there is no room, it says at which place', async () => {
  if (process.platform !== 'linux') return;
  const full = await newPlainFolder(at('full'), archive);
  await leaveRoom(4);
  const failed = await full.write('a', 'too much').catch((error: unknown) => error);
  await leaveRoom(null);
  expect(describeFailure(failed).message).toContain(at('full'));
  await full.discard();
});

test('a file that is no approval is told from an archive that is none', async () => {
  const choice = { add: [at('key.txt')] };
  expect(await here((context) => approveExport(context, archive, choice))).toEqual([
    ...[EXIT.usage, 'file-unreadable'],
  ]);
});

test('where nothing is wrong but that a file lies in it, the advice is to move that away', async () => {
  await cp(archive, at('with stranger'), { recursive: true });
  await writeFile(at('with stranger', '.DS_Store'), 'Mac');
  const notes: string[] = [];
  const work = opening('stranger', {}, at('with stranger'));
  const heard = here((context) => {
    const output = { ...context.output, note: (text: string) => void notes.push(text) };
    return work({ ...context, output });
  });
  expect(await heard).toMatchObject([EXIT.unsound, { folder: null }]);
  expect(notes.at(-1)).toMatch(/^Nothing was written\. .*move the files/);
});

test('what is no identity says what is, and a sheet which command takes it', async () => {
  const adviceOn = async (text: string): Promise<string> => {
    await writeFile(at('not a key'), text);
    const { code, next } = describeFailure(await readIdentities(at('not a key')).catch((error) => error));
    expect(code).toBe('bad-key');
    return next;
  };
  for (const text of ['', '# nothing\n', `${printRecipient(new Uint8Array(1_216))}\n`])
    expect(await adviceOn(text)).toContain('AGE-SECRET-KEY-PQ-1');
  expect(await adviceOn('KEYTIDE, ARCHIVE KEY: SHARE 1\n\nKTS1 QXCT\n')).toContain('keytide recover');
});

test('another key is told from an archive that is not sound', async () => {
  await writeFile(at('other.txt'), printIdentity(new Uint8Array(32).fill(1)));
  expect(await here(opening('other', {}, archive, 'other.txt'))).toEqual([EXIT.usage, 'no-identity']);
});

test('one that is not sound opens only when that is asked for, without what was altered', async () => {
  const damaged = await damagedCopy('unsound');
  const [code, result] = await here(opening('refused', {}, damaged));
  expect([code, result]).toMatchObject([
    EXIT.unsound,
    { folder: null, verification: { verdict: 'unsound', findings: [{ code: 'hash-mismatch' }, {}] } },
  ]);
  expect([await there('refused'), await there('refused.unfinished')]).toEqual([false, false]);
  expect(await here(opening('salvaged', { unsound: true }, damaged))).toMatchObject([
    EXIT.unsound,
    { folder: at('salvaged'), damaged: [{ code: 'damaged' }] },
  ]);
  // All of it was in the one segment that was altered.
  expect((await stat(at('salvaged', 'entries.jsonl'))).size).toBe(0);
  expect(await readFile(at('salvaged', 'ABOUT.txt'), 'utf8')).toContain('hash-mismatch');
  // What is seen as it is read, too.
  expect(await here(opening('quick', { quick: true }, damaged))).toEqual([EXIT.unsound, 'damaged']);
  expect([await there('quick'), await there('quick.unfinished')]).toEqual([false, false]);
});

test('one that admins are yet to approve opens', async () => {
  const strict = await someDays();
  const { world } = strict;
  const policy = { ...world.state.policy, approvals: { export: 2 } };
  world.append(createPolicyChange({ ...world.as(world.members[0].devices[0]), policy }));
  await exportArchive(optionsFor(strict, folderDestination(at('unapproved'))));
  expect(await here(opening('early', {}, at('unapproved')))).toMatchObject([
    EXIT.ok,
    {
      verification: {
        verdict: 'unsound',
        findings: [{ code: 'approval-needed', detail: '1/2' }, { weight: 'note' }],
      },
    },
  ]);
});

test('stopped in the middle, nothing of it stays', async () => {
  const stopping = new AbortController();
  const stop = new Error('stopped');
  const work = opening('stopped');
  const failing = here((context) => {
    const output = {
      ...context.output,
      // The first that is told of what is written.
      event: (event: { event: string }) => {
        if ('stage' in event && event.stage === 'jsonl') stopping.abort(stop);
      },
    };
    return work({ ...context, output, signal: stopping.signal });
  });
  expect(await failing).toEqual([EXIT.unexpected, 'unexpected']);
  expect([await there('stopped'), await there('stopped.unfinished')]).toEqual([false, false]);
  expect(await here(opening('stopped'))).toMatchObject([EXIT.ok, {}]);
});

async function damagedCopy(name: string): Promise<string> {
  await cp(archive, at(name), { recursive: true });
  let segment = '';
  for await (const found of glob(join(at(name), 'data/groups/*/segments/*[0-9].age'))) segment = found;
  const bytes = await readFile(segment);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(segment, bytes);
  return at(name);
}

async function there(name: string): Promise<boolean> {
  return await stat(at(name)).then(
    () => true,
    () => false,
  );
}
