import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AGENT_CONFIG_KEYS, parseAgentConfig, readAgentConfig } from '../../src/agent/config.ts';
import { readReference } from '../../src/agent/passphrase-reference.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-agent-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const unusable = expect.objectContaining({ code: 'secret-unusable' });

test('little has to be said', () => {
  expect(parseAgentConfig({ destinations: ['/srv/archives'] })).toEqual({
    ...{ destinations: ['/srv/archives'], every: 86_400_000, at: 9_000_000, fullAfter: 0, recipients: [] },
    ...{
      acknowledge: 'readable',
      healthHost: '127.0.0.1',
      healthPort: 9465,
      logBytes: 10_000_000,
      logFiles: 5,
    },
  });
});

test.each([
  ['destinations', { destinations: [] }],
  ['destinations', { destinations: ['a', 'a'] }],
  ['destinations', { destinations: ['a', './b/../a/'] }],
  ['destinations', { destinations: ['s3://b/p', 's3://b/p/'] }],
  ['needed', { needed: 2 }],
  ['every', { every: '30s' }],
  ['every', { every: 'daily-secret' }],
  ['at', { at: '24:00' }],
  ['fullAfter', { fullAfter: -1 }],
  ['acknowledge', { acknowledge: true }],
  ['passphrase', { passphrase: 'hunter2-secret' }],
  ['healthPort', { healthPort: 70_000 }],
  ['logFiles', { logFiles: 0 }],
  ['logfile', { logfile: 'secret' }],
])('a wrong %s is named, and what it is to be, and never what it was', (key, wrong) => {
  let failure: unknown = null;
  try {
    parseAgentConfig({ destinations: ['a'], ...wrong });
  } catch (error) {
    failure = error;
  }
  expect(failure).toMatchObject({ code: 'config-invalid', exitCode: 2 });
  const { message } = failure as Error;
  expect(message).toContain(`${key}: `);
  expect(message).not.toContain('secret');
});

test('a file that is not there, no JSON, or no object', async () => {
  const path = join(folder, 'agent.json');
  const invalid = expect.objectContaining({ code: 'config-invalid' });
  await expect(readAgentConfig(path)).rejects.toEqual(invalid);
  for (const text of ['{', '[]', '3']) {
    await writeFile(path, text);
    await expect(readAgentConfig(path)).rejects.toEqual(invalid);
  }
});

test('the guide has each key, and its example can be used', async () => {
  const guide = await readFile(new URL('../../../../docs/guides/agent.md', import.meta.url), 'utf8');
  const table = guide.slice(guide.indexOf('| key |'), guide.indexOf('What cannot be used'));
  for (const key of AGENT_CONFIG_KEYS.keys()) expect(table).toContain(`\`${key}\``);
  const example = /```json\n(.*?)```/s.exec(guide)?.[1] ?? '';
  expect(parseAgentConfig(JSON.parse(example)).every).toBe(86_400_000);
});

test('a passphrase comes from a file of its owner alone, a variable, or a credential', async () => {
  const path = join(folder, 'passphrase');
  await writeFile(path, 'correct horse\n', { mode: 0o600 });
  const env = { SECRET: 'from here', CREDENTIALS_DIRECTORY: folder };
  expect(await readReference(`file:${path}`, env)).toBe('correct horse');
  expect(await readReference('credential:passphrase', env)).toBe('correct horse');
  expect(await readReference('env:SECRET', env)).toBe('from here');
  for (const gone of ['env:NONE', `file:${path}.none`, 'credential:none'])
    await expect(readReference(gone, env)).rejects.toEqual(unusable);
  await expect(readReference('credential:passphrase', {})).rejects.toEqual(unusable);
  await writeFile(join(folder, 'long'), 'x'.repeat(1025), { mode: 0o600 });
  await expect(readReference(`file:${join(folder, 'long')}`, env)).rejects.toEqual(unusable);
});

test.skipIf(process.platform === 'win32')('one that others may read is refused', async () => {
  const path = join(folder, 'open');
  const env = { CREDENTIALS_DIRECTORY: folder };
  await writeFile(path, 'correct horse', { mode: 0o600 });
  for (const [mode, kinds] of [
    [0o604, ['file', 'credential']],
    [0o640, ['file']],
  ] as const) {
    await chmod(path, mode);
    for (const kind of kinds)
      await expect(readReference(kind === 'file' ? `file:${path}` : 'credential:open', env)).rejects.toEqual(
        unusable,
      );
  }
  expect(await readReference('credential:open', env)).toBe('correct horse');
});
