import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printRecipient } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../src/exit-codes.ts';
import { openPeople } from '../people.ts';
import { runKeytide } from '../run-keytide.ts';

const { relay, on, folder, close } = await openPeople();
afterAll(close);

const recipient = printRecipient(primitives.decapsulator(new Uint8Array(32).fill(5)).publicKey);
const at = (name: string): string => join(folder, name);
const config = at('agent.json');
const configured = (changed: object = {}): Promise<void> =>
  writeFile(
    config,
    JSON.stringify({
      ...{ destinations: [at('one'), at('two')], recipients: [recipient], every: '1m', healthPort: 0 },
      ...{ passphrase: `file:${at('passphrase')}`, logFile: at('agent.log'), ...changed },
    }),
  );
const archivesAt = async (place: string): Promise<string[]> => (await readdir(at(place))).toSorted();
const once = ['agent', '--config', config, '--once'];

beforeAll(async () => {
  await configured();
  for (const place of ['one', 'two']) await mkdir(at(place));
  await writeFile(at('passphrase'), 'correct horse battery\n', { mode: 0o600 });
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  await on('ada', ['send', 'the bridge is closed']);
});

test('a round makes an archive at both places and tells the relay', async () => {
  expect(await on('ada', once)).toMatchObject({
    code: EXIT.ok,
    said: { status: 'ok', code: null, pending: 0 },
  });
  const [name = ''] = await archivesAt('one');
  expect(name).toMatch(/^\d{8}T\d{6}Z-full$/);
  expect(await archivesAt('two')).toEqual([name]);
});

test('that the next is a full one is noted without the passphrase, which only the service may have', async () => {
  await configured({ passphrase: 'credential:passphrase' });
  expect((await on('ada', ['agent', '--config', config, '--full'])).code).toBe(EXIT.ok);
  expect(JSON.parse(await readFile(at('ada/agent.json'), 'utf8'))).toMatchObject({
    ...{ series: { last: null }, table: { doneMs: null, retryAtMs: null } },
  });
  await configured();
});

test('as a service it says how it is, refuses a second one, and ends at SIGTERM with 0', async () => {
  // Whose memory is lost begins with a full one, at once.
  await rm(at('ada/agent.json'));
  let page = '';
  let second: unknown;
  const { code } = await runKeytide(['--json', 'agent', '--config', config], {
    env: { KEYTIDE_HOME: at('ada') },
    whileRunning(child) {
      let text = '';
      const ending = setTimeout(() => child.kill('SIGKILL'), 50_000);
      child.on('exit', () => clearTimeout(ending));
      child.stdout?.on('data', (piece: string) => {
        text += piece;
        const url = /"url":"([^"]+)"/.exec(text)?.[1];
        if (url === undefined || !text.includes('"event":"done"') || page !== '') return;
        page = 'asked';
        void (async () => {
          page = await (await fetch(`${url}/healthz`)).text();
          second = await on('ada', once);
          child.kill('SIGTERM');
        })();
      });
    },
  });
  expect(code).toBe(EXIT.ok);
  expect(JSON.parse(page)).toMatchObject({ status: 'ok', code: null, pending: 0 });
  expect(second).toMatchObject({ code: EXIT.locked, failed: { error: { code: 'agent-running' } } });
  expect(await archivesAt('two')).toHaveLength(2);
  const log = await readFile(at('agent.log'), 'utf8');
  const events = log
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);
  expect(events).toEqual(
    expect.arrayContaining(['exported', 'verified', 'settled', 'done', 'started', 'stopped']),
  );
  for (const secret of ['ada', 'bridge', folder, 'horse', relay.url]) expect(log).not.toContain(secret);
});

test('a passphrase that others may read, or that is wrong, is not tried again', async () => {
  await chmod(at('passphrase'), 0o644);
  if (process.platform !== 'win32')
    expect(await on('ada', once)).toMatchObject({
      code: EXIT.usage,
      failed: { error: { code: 'secret-unusable' } },
    });
  await writeFile(at('wrong'), 'wrong horse battery', { mode: 0o600 });
  await configured({ passphrase: `file:${at('wrong')}` });
  expect((await on('ada', ['agent', '--config', config])).failed.error.code).toBe('wrong-passphrase');
});
