import { dealQuorum, orgId, parseQuorumSet, readPrintedShare, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDealt } from '../src/archive-key-files.ts';
import { describeFailure } from '../src/failure.ts';
import { readShares } from '../src/given-shares.ts';
import { holdersOf } from '../src/holders.ts';
import { writeNewFolder } from '../src/new-folder.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-archive-key-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const usage = expect.objectContaining({ code: 'usage' });
const disposed = expect.objectContaining({ code: 'disposed' });

test.each([
  [['Ana', 'Bram'], '2'],
  [['Ana', 'ana', 'Bram'], '3'],
  [Array.from({ length: 64 }, (_, i) => `h${i}`), '64'],
])('%j may be holders, %s of whom are needed', (name, needed) => {
  expect(holdersOf({ name, needed })).toEqual({ holders: name, threshold: Number(needed) });
});

test.each([
  [['Ana', 'Bram'], '1'],
  [['Ana', 'Bram'], '3'],
  [['Ana', 'Bram'], '2.0'],
  [['Ana', 'Bram'], ''],
  [['Ana'], '2'],
  [Array.from({ length: 65 }, () => 'x'), '2'],
  [['Ana', 'Ana', 'Bram'], '3'],
  [['Zo\u00eb', 'Zoe\u0308'], '2'],
  [['Ana', ''], '2'],
  [['Ana', ' Bram'], '2'],
  [['Ana', 'Bram\nKTS1'], '2'],
  [['Ana', 'x'.repeat(65)], '2'],
])('%j may not be holders with %j needed', (name, needed) => {
  expect(() => holdersOf({ name, needed })).toThrow(usage);
});

test('a sheet says whose share it is, of what, and holds that share alone; its name is harmless', async () => {
  const seed = Secret.own(random(32));
  const { publicKey } = seed.use((bytes) => primitives.decapsulator(bytes));
  const dealt = await dealQuorum({
    ...{ primitives, random, signer: primitives.signer(random(32)), org: orgId(random(32)) },
    ...{ kind: 'x-wing-seed', secret: seed, threshold: 2, holders: ['../Ana/é', '名'] },
    createdMs: 0,
  });
  const shares = dealt.shares.map(({ share }) => Secret.own(share.use((bytes) => bytes.slice())));
  const out = join(folder, 'sheets');
  const sheets = await writeDealt(out, dealt, publicKey);
  expect(sheets).toEqual([
    { holder: '../Ana/é', file: join(out, 'share-1-Ana-e.txt') },
    { holder: '名', file: join(out, 'share-2.txt') },
  ]);
  const { hash, fingerprint, org } = parseQuorumSet(primitives, await readFile(join(out, 'archive-key.set')));
  for (const [index, { file, holder }] of sheets.entries()) {
    const text = await readFile(file, 'utf8');
    for (const part of [
      holder,
      org,
      Buffer.from(hash).toString('hex'),
      Buffer.from(fingerprint).toString('hex'),
    ])
      expect(text).toContain(part);
    const printed = [...text.matchAll(/^KTS1[^\n]*\n[^\n]*$/gm)].map(([found]) => readPrintedShare(found));
    expect(printed.map((share) => share.equals(shares[index] as Secret))).toEqual([true]);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  }
  // What was handed out is not kept.
  for (const { share } of dealt.shares) expect(() => share.use(() => {})).toThrow(disposed);
});

test.each(['kts1qqqsecret', 'KTS1 QQQS ECRE T', ' Kts1-qqqsecret'])(
  'a share in the place of a file is refused, and not shown: %#',
  async (share) => {
    const good = join(folder, 'sheet.txt');
    await writeFile(good, 'no share');
    const failed = await readShares({} as never, [good, share]).catch(describeFailure);
    expect(failed).toMatchObject({ code: 'usage' });
    expect(JSON.stringify(failed)).not.toMatch(/qqq/i);
  },
);

test('a folder is new, its owner’s alone, and not there when a file of it could not be written', async () => {
  const path = join(folder, 'new');
  const bytes = Uint8Array.of(1);
  await writeNewFolder(path, [{ name: 'a', bytes }]);
  expect([(await stat(path)).mode & 0o777, (await stat(join(path, 'a'))).mode & 0o777]).toEqual([
    0o700, 0o600,
  ]);
  await writeFile(join(path, 'mine'), 'mine');
  await expect(writeNewFolder(path, [{ name: 'b', bytes }])).rejects.toMatchObject({ code: 'file-exists' });
  expect(await readdir(path)).toEqual(['a', 'mine']);
  const broken = join(folder, 'broken');
  const files = [
    { name: 'a', bytes },
    { name: 'no/such/folder', bytes },
  ];
  await expect(writeNewFolder(broken, files)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(stat(broken)).rejects.toMatchObject({ code: 'ENOENT' });
});
