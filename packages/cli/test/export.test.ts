import { cp, glob, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { printIdentity, printRecipient } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startTestS3 } from '@keytide/testkit';
import { afterAll, expect, test } from 'vitest';
import { approveExport } from '../src/commands/approve-export.ts';
import { exportArchiveTo } from '../src/commands/export.ts';
import { setPolicy } from '../src/commands/policy.ts';
import { changeRole } from '../src/commands/role.ts';
import type { Context, Work } from '../src/context.ts';
import { EXIT } from '../src/exit-codes.ts';
import { here } from './here.ts';
import { paceText } from '../src/progress.ts';
import { openPeople } from './people.ts';

const { relay, on, folder, close } = await openPeople();
afterAll(close);

const recipient = printRecipient(primitives.decapsulator(new Uint8Array(32).fill(5)).publicKey);
const at = (name: string): string => join(folder, name);

test('everything is exported, then what came since, and an archive says what is in it', async () => {
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  expect(await on('ada', ['export', at('a')])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'no-recipient' } },
  });
  // Nobody has written anything yet.
  const empty = await on('ada', ['export', at('empty'), '--recipient', recipient]);
  expect(empty).toMatchObject({ code: EXIT.ok, said: { verdict: 'sound', relay: 'empty' } });
  const { link } = (await on('ada', ['invite'])).said;
  await on('bob', ['join', '-', '--name', 'bob'], link);
  await on('bob', ['send', 'the bridge is closed']);
  expect(await on('bob', ['export', at('b'), '--recipient', recipient])).toMatchObject({
    code: EXIT.refused,
    failed: { error: { code: 'not-permitted' } },
  });

  await writeFile(at('key.txt'), `# of the board\n${recipient}\n`);
  const first = ['export', at('a'), '--recipient', at('key.txt')];
  const untold = await on('ada', [...first, '--no-acknowledge']);
  expect(untold.said).toMatchObject({ relay: 'not-asked' });
  // Whole, and not for whom it is to be now.
  const others = printRecipient(primitives.decapsulator(new Uint8Array(32).fill(6)).publicKey);
  expect((await on('ada', ['export', at('a'), '--recipient', others])).failed.error.code).toBe('not-empty');
  // As after a stop between the two.
  const whole = await on('ada', first);
  expect(whole.said.id).toBe(untold.said.id);
  expect(whole).toMatchObject({
    code: EXIT.ok,
    said: { relay: 'acknowledged', recipients: 1, groups: [{ firstSeq: 1, messages: 1, unreadable: {} }] },
  });
  expect((await on('ada', ['export', at('a'), '--recipient', recipient])).failed.error.code).toBe(
    'not-empty',
  );

  await on('ada', ['send', 'we take the upper road']);
  const since = ['--since', at('a'), '--recipient', recipient];
  const rest = await on('ada', ['export', at('c'), '--offline', ...since]);
  expect(rest.said).toMatchObject({
    relay: 'offline',
    groups: [{ firstSeq: whole.said.groups[0].throughSeq + 1, messages: 1 }],
  });
  const verify = ['verify', at('c'), '--org', whole.said.org];
  expect(await on('nobody', [...verify, '--previous', at('a')])).toMatchObject({
    code: EXIT.ok,
    said: { verdict: 'sound', findings: [], levels: ['structure', 'hashes', 'completeness', 'references'] },
  });
  await writeFile(at('identity.txt'), `# secret\n${printIdentity(new Uint8Array(32).fill(5))}\n`);
  expect((await on('nobody', [...verify, '--key', at('identity.txt'), '--sample', '5%'])).said).toMatchObject(
    {
      verdict: 'sound',
      decryption: { segments: { opened: 1, total: 1 }, sample: { fraction: 0.05 } },
    },
  );
  // Whoever holds the archive before cannot have it say that it has more.
  const manifest = await readFile(join(at('a'), 'signed-manifest'));
  manifest[manifest.length - 1] = (manifest.at(-1) as number) ^ 1;
  await cp(at('a'), at('a2'), { recursive: true });
  await writeFile(join(at('a2'), 'signed-manifest'), manifest);
  expect(
    (await on('ada', ['export', at('c2'), '--since', at('a2'), '--recipient', recipient])).failed.error.code,
  ).toBe('previous-unsound');
  expect((await on('nobody', [...verify, '--full'])).code).toBe(EXIT.usage);
  expect((await on('nobody', [...verify, '--previous', at('c')])).said).toMatchObject({
    findings: [{ code: 'other-archive' }, { code: 'segment-overlap' }],
  });
  let segment = '';
  for await (segment of glob(join(at('c'), 'data/groups/*/segments/*[0-9].age')));
  const bytes = await readFile(segment);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  await writeFile(segment, bytes);
  expect((await on('nobody', [...verify, '--quick'])).said.levels).toEqual(['structure']);
  expect(await on('nobody', verify)).toMatchObject({
    code: EXIT.unsound,
    said: { verdict: 'unsound', findings: [{ level: 'hashes', code: 'hash-mismatch' }] },
  });
  // Without a home: it takes no device.
  const { relay: told, archive, verdict, ...stats } = rest.said;
  expect([told, archive, verdict]).toEqual(['offline', at('c'), 'sound']);
  expect((await on('nobody', ['stats', at('c')])).said).toEqual(stats);
  expect(await on('nobody', ['stats', folder])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'missing-file' } },
  });
}, 120_000);

test('what is chosen is exported, and the relay is told of nothing', async () => {
  const chosen = [
    '--recipient',
    recipient,
    '--member',
    'bob',
    '--collection',
    'chat',
    '--from',
    '2026-01-01',
  ];
  const { said } = await on('ada', ['export', at('d'), ...chosen]);
  expect(said).toMatchObject({
    relay: 'filtered',
    filter: { collections: ['chat'], fromMs: Date.UTC(2026, 0, 1) },
    groups: [{ messages: 1, skipped: 1 }],
  });
  for (const wrong of [
    ['--collection', 'chats'],
    ['--member', 'nobody'],
    ['--until', 'tomorrow'],
    ['--from', '2026-03-01T12:00'],
    ['--recipient', 'age1pq1'],
    ['--from', '2026-03-02', '--until', '2026-03-01'],
    // What it leaves out would be in neither.
    ['--since', at('d')],
  ])
    expect((await on('ada', ['export', at('e'), '--recipient', recipient, ...wrong])).code).toBe(EXIT.usage);
  // The archive of before, the one that was damaged, and the one with a filter.
  const ledger = [
    'ledger',
    at('a'),
    at('c'),
    at('d'),
    '--html',
    at('ledger.html'),
    '--csv',
    at('ledger.csv'),
  ];
  const seen = await on('ada', ledger);
  expect(seen).toMatchObject({
    code: EXIT.ok,
    said: {
      relayAsked: true,
      archives: [{ counts: true }, { counts: false }, { counts: false, filtered: true }],
      findings: [{ code: 'archive-refused', weight: 'note', detail: 'unsound' }],
    },
  });
  const [first] = seen.said.rows;
  expect(first).toMatchObject({ firstSeq: 1, state: 'released', todo: null, receipt: null });
  expect(first.acknowledged).toMatchObject([{ handle: 'ada', ofLog: true }]);
  expect(first.archives).toEqual([seen.said.archives[0].id]);
  expect(await readFile(at('ledger.html'), 'utf8')).toContain('exported: goes when it is due');
  expect((await readFile(at('ledger.csv'), 'utf8')).split('\r\n')).toHaveLength(seen.said.rows.length + 2);
  expect(await on('ada', ['ledger', '--offline', '--html', at('ledger.html')])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'file-exists' } },
  });
  expect((await on('bob', ['ledger'])).code).toBe(EXIT.refused);
  await on('zed', ['org', 'create', '--relay', relay.url, '--name', 'zed']);
  for (const given of [
    ['export', at('z'), '--recipient', recipient, '--since', at('a')],
    ['ledger', at('a')],
  ]) {
    const { code, failed } = await on('zed', given);
    expect([code, failed.error.message]).toEqual([
      EXIT.usage,
      expect.stringContaining('of another organisation'),
    ]);
  }
  expect((await readFile(join(at('d'), 'data/README-DECRYPT.txt'), 'utf8')).length).toBeGreaterThan(100);
}, 120_000);

test('a ZIP file is a place like a folder', async () => {
  const place = at('archive.zip');
  const { said } = await on('ada', ['export', place, '--recipient', recipient, '--no-acknowledge']);
  expect(said).toMatchObject({ archive: place, verdict: 'sound' });
  expect((await on('nobody', ['verify', place, '--org', said.org])).code).toBe(EXIT.ok);
  expect((await on('nobody', ['stats', place])).said.id).toBe(said.id);
}, 120_000);

test('a bucket is a place like a folder', async () => {
  const s3 = await startTestS3({ now: () => Date.now() });
  try {
    const { accessKeyId, secretAccessKey } = s3.caller();
    const access = { AWS_ENDPOINT_URL: s3.url, AWS_REGION: s3.region };
    const env = { ...access, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const place = `s3://${s3.bucket}/archives/a`;
    const locked = [
      'export',
      place,
      '--recipient',
      recipient,
      '--no-acknowledge',
      '--lock-until',
      '2999-01-01',
    ];
    expect(await on('ada', locked, '', env)).toMatchObject({
      code: EXIT.usage,
      failed: { error: { code: 'no-object-lock' } },
    });
    s3.lockObjects('taken');
    const { said } = await on('ada', locked, '', env);
    expect(said).toMatchObject({ archive: place, verdict: 'sound' });
    expect(s3.objects.get('archives/a/bagit.txt')?.headers).toMatchObject({
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': '2999-01-01T00:00:00.000Z',
    });
    expect((await on('nobody', ['verify', `${place}/`], '', env)).said).toMatchObject({ verdict: 'sound' });
    expect((await on('nobody', ['stats', place], '', env)).said.id).toBe(said.id);
    for (const [where, changes, code, exit] of [
      [place, { AWS_SECRET_ACCESS_KEY: 'another' }, 'access-denied', EXIT.refused],
      [place, { AWS_SECRET_ACCESS_KEY: '' }, 'secret-missing', EXIT.usage],
      ['s3://no-such-bucket/a', {}, 'bucket-missing', EXIT.usage],
      [`s3://${s3.bucket}/a?b`, {}, 'bad-address', EXIT.usage],
    ] as const)
      expect(await on('nobody', ['verify', where], '', { ...env, ...changes })).toMatchObject({
        code: exit,
        failed: { error: { code } },
      });
  } finally {
    await s3.close();
  }
}, 120_000);

test('where the policy asks for two admins, the relay is told once the other has approved', async () => {
  const as = (name: string, work: Work) => here(work, null, at(name));
  const exported = (context: Context) =>
    exportArchiveTo(context, at('f'), {
      recipient: [recipient],
      member: [],
      collection: [],
      lockMode: 'governance',
    });
  expect(await as('ada', (context) => changeRole(context, 'bob', 'admin', {}))).toMatchObject([EXIT.ok, {}]);
  const two = (context: Context) => setPolicy(context, 'approvals.export', '2', {});
  expect(await as('ada', two)).toMatchObject([EXIT.ok, {}]);
  const waiting = [EXIT.refused, { verdict: 'unsound', relay: 'approval-needed' }];
  expect(await as('ada', exported)).toMatchObject(waiting);
  expect(await as('ada', (context) => approveExport(context, at('f'), { yes: true }))).toEqual([
    ...[EXIT.refused, 'not-permitted'],
  ]);
  // Nobody says yes.
  const approving = { out: at('approval') };
  expect(await as('bob', (context) => approveExport(context, at('f'), approving))).toEqual([
    ...[EXIT.usage, 'not-confirmed'],
  ]);
  expect(await as('ada', exported)).toMatchObject(waiting);
  expect(await approvedElsewhere()).toBe('damaged');
  const yes = { ...approving, yes: true } as const;
  expect(await as('bob', (context) => approveExport(context, at('f'), yes))).toMatchObject([
    ...[EXIT.ok, { approval: at('approval'), isCompared: true, approvals: { given: 1, needed: 2 } }],
  ]);
  const adding = { add: [at('approval')] };
  expect(await here((context) => approveExport(context, at('f'), adding))).toMatchObject([
    ...[EXIT.ok, { added: 1, approvals: { given: 2, needed: 2 } }],
  ]);
  expect(await as('ada', exported)).toMatchObject([EXIT.ok, { verdict: 'sound', relay: 'acknowledged' }]);
  // What is not sound besides is not signed.
  await writeFile(join(at('f'), 'data/README-DECRYPT.txt'), 'other');
  await rm(join(at('f'), 'approvals'), { recursive: true });
  expect(await as('bob', (context) => approveExport(context, at('f'), { yes: true }))).toMatchObject([
    ...[EXIT.unsound, { verdict: 'unsound' }],
  ]);
  expect(await readdir(at('f'))).not.toContain('approvals');
}, 120_000);

/** What Bob hears of a bucket that shows the archive at `f`, and another under its name once it was verified. */
async function approvedElsewhere(): Promise<unknown> {
  const s3 = await startTestS3({ now: () => Date.now() });
  try {
    const files = await readdir(at('f'), { recursive: true, withFileTypes: true });
    for (const file of files.filter((one) => one.isFile())) {
      const path = join(file.parentPath, file.name);
      const key = `f/${relative(at('f'), path).replaceAll('\\', '/')}`;
      s3.objects.set(key, { bytes: await readFile(path), headers: { etag: '"1"' } });
    }
    let looks = 0;
    const find = s3.objects.get.bind(s3.objects);
    s3.objects.get = (key) => {
      const isAttachments = key === 'f/data/attachments.jsonl';
      if (isAttachments) looks += 1;
      const found = find(key);
      // Listed, hashed, read: that was the last of the verification.
      if (isAttachments && looks === 3 && found !== undefined)
        for (const [name, bytes] of other) s3.objects.set(`f/${name}`, { ...found, bytes });
      return found;
    };
    const names = ['signed-manifest', 'manifest-sha256.txt'];
    const other = await Promise.all(
      names.map(async (name) => [name, await readFile(join(at('a'), name))] as const),
    );
    const { accessKeyId, secretAccessKey } = s3.caller();
    const env = {
      ...{ AWS_ENDPOINT_URL: s3.url, AWS_REGION: s3.region },
      ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    };
    const approving = ['approve-export', `s3://${s3.bucket}/f`, '--out', at('elsewhere'), '--yes'];
    const { failed, said } = await on('bob', approving, '', env);
    return failed?.error.code ?? said;
  } finally {
    await s3.close();
  }
}

test.each([
  [0, 10, 5, ''],
  [5, 10, 0.5, ''],
  [5, 10, 5, ', 1.0/s, 5 s left'],
  [1000, 100_000, 10, ', 100/s, 17 min left'],
  [1, 10_000, 2, ', 0.5/s, 5.6 h left'],
  [10, 10, 5, ', 2.0/s'],
])('%i of %i after %f seconds: %j', (done, total, seconds, text) => {
  expect(paceText(done, total, seconds)).toBe(text);
});
