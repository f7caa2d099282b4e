import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { openPeople } from './people.ts';

const { folder, relay, on, close } = await openPeople();
afterAll(close);

test('an organisation without its admin comes back by the recovery key, once', async () => {
  const file = join(folder, 'secret');
  const { said: ada } = await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  const { said: key } = await on('nobody', ['org', 'recovery-key', file]);
  expect(key).toEqual({ file, publicKey: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await on('nobody', ['org', 'recovery-key', file])).toMatchObject({
    code: EXIT.usage,
    failed: { error: { code: 'file-exists' } },
  });
  await on('bo', ['join', '-', '--name', 'bo'], (await on('ada', ['invite'])).said.link);
  await on('ada', ['policy', 'set', 'recovery-key', key.publicKey]);
  await on('ada', ['policy', 'set', 'witnesses', '1/24h']);
  expect((await on('ada', ['status'])).said.witnesses).toEqual({ cosigned: 1, needed: 1 });
  expect((await on('ada', ['directory', 'checkpoint'])).said.witnesses).toMatchObject({
    isMet: true,
    cosigned: [{ member: ada.member, device: ada.device }],
  });

  const where = ['org', 'recover', '--relay', relay.url, '--org', ada.org, '--name', 'edith'];
  const other = (await on('nobody', ['org', 'recovery-key', join(folder, 'other')])).said;
  expect(await on('edith', [...where, '--seed-file', join(folder, 'other')])).toMatchObject({
    code: EXIT.refused,
    failed: { error: { code: 'login-refused' } },
  });
  expect((await on('edith', [...where, '--seed-file', '-'], 'abc')).code).toBe(EXIT.usage);

  const noted = join(folder, 'noted');
  const { note } = (await on('ada', ['directory', 'checkpoint'])).said;
  const withSecret = [...where, '--seed-file', file, '--checkpoint', noted];
  await writeFile(noted, 'no checkpoint');
  expect((await on('edith', withSecret)).code).toBe(EXIT.usage);
  const [origin, size, , mapRoot] = note.split('\n');
  const another = [origin, size, Buffer.alloc(32, 7).toString('base64'), mapRoot];
  await writeFile(noted, [...another, ...note.split('\n').slice(4)].join('\n'));
  expect(await on('edith', withSecret)).toMatchObject({
    code: EXIT.misbehaved,
    failed: { error: { code: 'relay-forked' } },
  });
  await writeFile(noted, note);
  const all = [
    ...where,
    '--seed-file',
    '-',
    '--checkpoint',
    noted,
    '--remove',
    ada.member,
    '--next-key',
    other.publicKey,
  ];
  const secret = await readFile(file, 'utf8');
  const { code, said } = await on('edith', all, secret);
  expect([code, said]).toEqual([EXIT.ok, expect.objectContaining({ org: ada.org, removed: [ada.member] })]);
  expect((await on('edith', ['members'])).said.members).toMatchObject([
    { handle: 'bo' },
    { handle: 'edith', role: 'admin' },
  ]);
  expect((await on('edith', ['policy', 'show'])).said.policy).toMatchObject({
    'recovery-key': other.publicKey,
    witnesses: 'none',
  });
  // Coming in is not a stolen key.
  expect(await on('edith', ['directory', 'audit'])).toMatchObject({ code: EXIT.ok, said: { alarms: [] } });
  // Nobody who stays may miss it.
  const { said: audit } = await on('bo', ['directory', 'audit']);
  expect(audit.entries.at(-1)).toMatchObject({
    kind: 'recovery',
    signedBy: [{ handle: 'edith' }],
    alarm: null,
  });
  expect((await on('mallory', all, secret)).code).toBe(EXIT.refused);
}, 240_000);
