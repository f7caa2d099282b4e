import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { folderDatabase, memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { describeFailure } from '../src/failure.ts';
import { organisation } from '../src/organisation.ts';
import { createProgram } from '../src/program.ts';
import { runKeytide, type Finished, type Run } from './run-keytide.ts';

const PASSPHRASE = 'correct horse battery';
let folder: string;
let relay: Relay;

/** Runs a command on the device of `name`, with its passphrase in the environment. */
function on(name: string, args: readonly string[], run: Run = {}): Promise<Finished> {
  const env = { KEYTIDE_HOME: join(folder, name), KEYTIDE_PASSPHRASE: PASSPHRASE, ...run.env };
  return runKeytide(args, { ...run, env });
}

async function json(name: string, args: readonly string[], run: Run = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await on(name, ['--json', ...args], run);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as Record<string, unknown>;
}

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function idsIn({ members }: Record<string, unknown>): string[] {
  return (members as { id: string }[]).map(({ id }) => id);
}

/** One line that says what is wrong and what to do next. */
const ONE_ERROR_LINE = /^keytide: [^\n]+\. [^\n]+[.`\w]\n$/;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide cli '));
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  await json('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
});

afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('help', () => {
  test('names every command, the passphrase and every exit code', async () => {
    const { code, stdout } = await runKeytide(['--help']);
    expect(code).toBe(EXIT.ok);
    const names =
      'relay org invite join members verify device remove role policy wipe approve submit directory verify-evidence send chat requests status'.split(
        ' ',
      );
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    for (const exitCode of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^  ${exitCode} `, 'm'));
    expect(stdout).toContain('--passphrase-fd');
  });

  test('is shown where a command is missing, which is a usage error', async () => {
    const { code, stderr } = await runKeytide(['requests']);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('Usage: keytide');
  });
});

describe('usage errors', () => {
  test('exit code 2 and one line', async () => {
    const { code, stdout, stderr } = await on('nobody', ['sned', 'x']);
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
    expect(stderr).toMatch(ONE_ERROR_LINE);
  });

  test.each([
    ['unknown option', ['send', 'x', '--loud']],
    ['missing argument', ['send']],
    ['missing option', ['approve', 'x']],
    ['timeout', ['status', '--timeout', 'soon']],
    ['port', ['relay', '--port', '70000']],
    ['role', ['invite', '--role', 'king']],
    ['duration', ['invite', '--valid', 'forever']],
    ['relay address', ['org', 'create', '--relay', 'relay.example.org', '--name', 'x']],
    ['no organisation here', ['members', '--home', '/does/not/exist']],
    ['file', ['requests', 'import', '/does/not/exist.csv']],
  ])('%s', async (_, args) => {
    const program = createProgram(new AbortController().signal, () => {});
    const error: unknown = await program
      .parseAsync(args, { from: 'user' })
      .catch((thrown: unknown) => thrown);
    expect(describeFailure(error).exitCode).toBe(EXIT.usage);
  });

  test('with --json they are one object', async () => {
    const { code, stderr } = await runKeytide(['--json', 'members', '--home', join(folder, 'nobody')]);
    expect(code).toBe(EXIT.usage);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'no-organisation', message: expect.any(String), next: expect.any(String) },
    });
  });
});

describe('the passphrase', () => {
  test('wrong: exit code 3, and it is not shown', async () => {
    const { code, stderr } = await on('ada', ['status'], {
      env: { KEYTIDE_PASSPHRASE: 'not the right one' },
    });
    expect(code).toBe(EXIT.locked);
    expect(stderr).toMatch(ONE_ERROR_LINE);
    expect(stderr).not.toContain('not the right one');
  });

  test('nobody to ask: exit code 2, at once', async () => {
    const { code, stderr } = await runKeytide(['status', '--home', join(folder, 'ada')]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toMatch(ONE_ERROR_LINE);
  });

  test('too short for a new device: nothing is made', async () => {
    const args = ['org', 'create', '--relay', relay.url, '--name', 'x'];
    const { code } = await on('short', args, { env: { KEYTIDE_PASSPHRASE: '1234567' } });
    expect(code).toBe(EXIT.usage);
    await expect(stat(join(folder, 'short'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('from a file descriptor, before what else is on stdin', async () => {
    const args = ['send', '-', '--json', '--passphrase-fd', '0', '--home', join(folder, 'ada')];
    const { code, stdout } = await runKeytide(args, { stdin: `${PASSPHRASE}\nfrom stdin\n` });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"sent":true,"queued":false}\n' });
  });

  test('a device in use is not opened twice: exit code 3', async () => {
    let second: Promise<Finished> | null = null;
    const first = await on('ada', ['--json', 'chat'], {
      whileRunning: (child) =>
        child.stdout?.once('data', () => {
          second = on('ada', ['status']);
          void second.then(() => child.stdin?.end());
        }),
    });
    expect(first.code).toBe(EXIT.ok);
    expect(await second).toMatchObject({ code: EXIT.locked, stderr: expect.stringMatching(ONE_ERROR_LINE) });
  });
});

describe('invites', () => {
  test('let one person in, once; the link can come from stdin', async () => {
    const { link } = await json('ada', ['invite']);
    const joined = await json('bo', ['join', '-', '--name', 'bo'], { stdin: `${String(link)}\n` });
    expect(joined).toMatchObject({ members: 2 });
    const [bo, ada] = [await json('bo', ['members']), await json('ada', ['members'])];
    expect(idsIn(bo)).toEqual(idsIn(ada));
    const again = await on('carol', ['join', String(link), '--name', 'carol']);
    expect(again.code).toBe(EXIT.refused);
    expect(again.stderr).toMatch(ONE_ERROR_LINE);
    expect(again.stderr).not.toContain(String(link).split('#')[1]);
  });

  test('are made by admins only: exit code 5', async () => {
    const { code, stderr } = await on('bo', ['invite']);
    expect(code).toBe(EXIT.refused);
    expect(stderr).toMatch(ONE_ERROR_LINE);
  });

  test('that are not links: exit code 2, without repeating them', async () => {
    const { code, stderr } = await on('dora', ['join', 'http://x/join#SECRET', '--name', 'dora']);
    expect(code).toBe(EXIT.usage);
    expect(stderr).not.toContain('SECRET');
  });
});

describe('an organisation that is there already', () => {
  const args = (url: string, handle: string): string[] => ['org', 'create', '--relay', url, '--name', handle];

  test('is not made twice: the same command answers as the first time', async () => {
    const first = await json('kim', args(relay.url, 'kim'));
    expect(await json('kim', args(relay.url, 'kim'))).toEqual(first);
  });

  test('and another one needs another home: exit code 2', async () => {
    for (const wanted of [args(relay.url, 'kate'), args('http://127.0.0.1:1', 'kim')]) {
      const { code, stderr } = await on('kim', ['--json', ...wanted]);
      expect(code).toBe(EXIT.usage);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'already-joined' } });
    }
    const { link } = await json('kim', ['invite']);
    await json('lou', ['join', String(link), '--name', 'lou']);
    expect(await on('lou', args(relay.url, 'lou'))).toMatchObject({ code: EXIT.usage });
  });
});

describe('removing a member', () => {
  const admitted = async (name: string, role: string, home = name): Promise<void> => {
    const { link } = await json('mia', ['invite', '--role', role]);
    await json(home, ['join', String(link), '--name', name]);
  };
  const codeOf = ({ stderr }: Finished): unknown =>
    (JSON.parse(stderr) as { error: { code: string } }).error.code;

  beforeAll(async () => {
    await json('mia', ['org', 'create', '--relay', relay.url, '--name', 'mia']);
    await admitted('ned', 'member');
    await json('mia', ['send', 'ned can read this']);
  });

  test('takes them and their devices out, and what comes then is not for them', async () => {
    const removed = await json('mia', ['remove', 'ned', '--yes']);
    expect(removed).toMatchObject({ handle: 'ned', devices: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
    expect(await json('mia', ['members'])).toMatchObject({ members: [{ handle: 'mia' }] });
    await json('mia', ['send', 'ned cannot read this']);
    expect(Number((await json('mia', ['status']))['epoch'])).toBeGreaterThan(1);
    expect(await on('ned', ['members'])).toMatchObject({ code: EXIT.refused });
  });

  test('needs a yes: without a terminal nobody is removed', async () => {
    await admitted('oda', 'member');
    const refused = await on('mia', ['--json', 'remove', 'oda']);
    expect([refused.code, codeOf(refused)]).toEqual([EXIT.usage, 'not-confirmed']);
    expect(idsIn(await json('mia', ['members']))).toHaveLength(2);
  });

  test('a name that nobody has, or more than one: exit code 2', async () => {
    await admitted('oda', 'member', 'other oda');
    for (const name of ['nobody', 'oda', 'Oda']) {
      const refused = await on('mia', ['--json', 'remove', name, '--yes']);
      expect([refused.code, codeOf(refused)]).toEqual([EXIT.usage, 'unknown-member']);
    }
  });

  test('the part after # tells namesakes apart', async () => {
    const { stdout } = await on('mia', ['members']);
    const [first] = /^oda#[0-9a-f]{6}/m.exec(stdout) as RegExpExecArray;
    await json('mia', ['remove', first, '--yes']);
    expect(await json('mia', ['remove', 'oda', '--yes'])).toMatchObject({ handle: 'oda' });
  });

  test('is for admins, and the last of them stays: exit code 5', async () => {
    await admitted('pia', 'member');
    const byMember = await on('pia', ['--json', 'remove', 'mia', '--yes']);
    expect([byMember.code, codeOf(byMember)]).toEqual([EXIT.refused, 'not-permitted']);
    const last = await on('mia', ['--json', 'remove', 'mia', '--yes']);
    expect([last.code, codeOf(last)]).toEqual([EXIT.refused, 'last-admin']);
    await admitted('quin', 'admin');
    expect(await json('mia', ['remove', 'mia', '--yes'])).toMatchObject({ handle: 'mia' });
    expect(await json('quin', ['members'])).toMatchObject({
      members: expect.not.arrayContaining([expect.objectContaining({ handle: 'mia' })]),
    });
  });
});

describe('requests', () => {
  const HEADER = 'lat,lng,title,reportedAt,township,address';

  test('are imported, listed and edited; bad rows are reported: exit code 6', async () => {
    const path = await file('some.csv', `${HEADER}\n1,2,good,,,\nx,2,bad CELL,,,\n1,2,fine,,,\n`);
    const { code, stdout, stderr } = await on('ada', ['--json', 'requests', 'import', path]);
    expect({ code, stderr }).toEqual({ code: EXIT.rowsRefused, stderr: '' });
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual({ event: 'row-refused', line: 3, column: 'lat', reason: 'not a number' });
    expect(lines).toContainEqual({ event: 'progress', stage: 'at relay', done: 2, total: 2 });
    expect(lines.at(-1)).toEqual({ event: 'imported', imported: 2, refused: 1 });
    expect(stdout).not.toContain('CELL');

    const before = (await json('ada', ['requests', 'list']))['requests'] as Record<string, unknown>[];
    const id = String(before.find(({ title }) => title === 'good')?.['id']);
    expect(await json('ada', ['requests', 'edit', id.slice(0, 6), 'status=done'])).toEqual({
      id,
      edited: ['status'],
    });
    const after = (await json('ada', ['requests', 'list', '--offline']))['requests'] as Record<
      string,
      unknown
    >[];
    expect(after).toEqual(
      before.map((request) => (request['id'] === id ? { ...request, status: 'done' } : request)),
    );
  });

  test('people see bad rows on stderr and the outcome on stdout', async () => {
    const path = await file('bad.csv', `${HEADER}\n1,2\n`);
    const { code, stdout, stderr } = await on('ada', ['requests', 'import', path]);
    expect(code).toBe(EXIT.rowsRefused);
    expect(stdout).toBe('requests imported: 0, rows refused: 1\n');
    expect(stderr).toBe('line 2: 2 cells instead of 6\n');
  });

  test('what nobody else sees yet does not look sent', async () => {
    const { requests } = await json('ada', ['requests', 'list']);
    const [{ id }] = requests as [{ id: string }];
    const fetch = (): Promise<never> => Promise.reject(new TypeError('no network'));
    const store = await openFileDeviceStore({ home: join(folder, 'ada'), passphrase: PASSPHRASE });
    const client = await connect({ definition: organisation, store, ports: { ...nodePorts, fetch } });
    await client.collections.requests.edit(id, { note: 'on my way' });
    await client.close();

    const { requests: kept } = await json('ada', ['requests', 'list', '--offline']);
    const pending = (kept as Record<string, unknown>[]).filter((request) => 'pending' in request);
    expect(pending).toMatchObject([{ id, note: 'on my way', pending: true }]);
    expect((await on('ada', ['requests', 'list', '--offline'])).stderr).toContain('1 request');
    await json('ada', ['status']);
    const { requests: sent } = await json('ada', ['requests', 'list', '--offline']);
    expect((sent as Record<string, unknown>[]).some((request) => 'pending' in request)).toBe(false);
  });

  test('an id that is none: exit code 2', async () => {
    const { code } = await on('ada', ['requests', 'edit', 'ffffffff00000000ffffffff00000000', 'status=done']);
    expect(code).toBe(EXIT.usage);
  });
});

describe('the chat', () => {
  test('takes lines before it is online, shows them as they come back, and ends with stdin', async () => {
    const { code, stdout } = await on('ada', ['--json', 'chat'], { stdin: 'one\n\ntwo \u001b[2J\n' });
    expect(code).toBe(EXIT.ok);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const own = events.filter(({ event }) => event === 'message').map(({ text }) => text);
    expect(own.slice(-2)).toEqual(['one', 'two \u001b[2J']);
    expect(stdout).not.toContain('\u001b');
  });

  test('without a terminal it prints clean lines', async () => {
    const { code, stdout } = await on('ada', ['chat', '--history', '1'], { stdin: 'plain\n' });
    expect(code).toBe(EXIT.ok);
    expect(stdout).toMatch(/^\* connected\n\d\d:\d\d ada: two \u{fffd}\[2J\n\d\d:\d\d ada: plain\n$/u);
  });

  test('Ctrl-C ends it cleanly: exit code 130, and the device opens again', async () => {
    const { code, stderr } = await on('ada', ['chat'], {
      whileRunning: (child) => child.stdout?.once('data', () => child.kill('SIGINT')),
    });
    expect({ code, stderr }).toEqual({ code: EXIT.interrupted, stderr: '' });
    await json('ada', ['members', '--offline']);
  });

  test('a line that is too long is refused, and the chat goes on', async () => {
    const { code, stdout } = await on('ada', ['--json', 'chat'], { stdin: `${'x'.repeat(4001)}\nshort\n` });
    expect(code).toBe(EXIT.ok);
    expect(stdout).toContain('"event":"refused","code":"invalid-value"');
    expect(stdout).toContain('"text":"short"');
  });
});

describe('a relay that is not there', () => {
  let away: Relay;
  // A refused connection is an answer: nothing here waits for the timeout.
  const AWAY = ['--timeout', '600'];

  beforeAll(async () => {
    away = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
    await json('eve', ['org', 'create', '--relay', away.url, '--name', 'eve']);
    await json('eve', ['send', 'while it was there']);
    await away.close();
  });

  test('exit code 4, and what is here can still be shown', async () => {
    const { code, stderr } = await on('eve', ['members', ...AWAY]);
    expect(code).toBe(EXIT.unreachable);
    expect(stderr).toMatch(ONE_ERROR_LINE);
    expect(await json('eve', ['members', '--offline'])).toMatchObject({ members: [{ handle: 'eve' }] });
    expect(await json('eve', ['status', ...AWAY])).toMatchObject({ messages: 1, waiting: 0 });
  });

  test('a message is not kept without being asked to; with --offline-ok it is', async () => {
    expect(await on('eve', ['send', 'a', ...AWAY])).toMatchObject({ code: EXIT.unreachable });
    expect(await json('eve', ['send', 'b', '--offline-ok', ...AWAY])).toEqual({ sent: false, queued: true });
    expect(await json('eve', ['status', ...AWAY])).toMatchObject({ waiting: 1 });
  });

  test('the chat shows what is here at once, and keeps what is typed', async () => {
    const { code, stdout } = await on('eve', ['chat'], {
      whileRunning: (child) =>
        child.stdout?.on('data', (text: string) => {
          if (text.includes('while it was there')) child.kill('SIGINT');
        }),
    });
    expect(code).toBe(EXIT.interrupted);
    expect(stdout).toContain('* the relay cannot be reached');
    expect(stdout).toContain('eve: while it was there');
  });

  test('an organisation cannot be made there, and the second try goes on where the first stopped', async () => {
    const port = new URL(away.url).port;
    const args = ['org', 'create', '--relay', away.url, '--name', 'fay', ...AWAY];
    expect(await on('fay', args)).toMatchObject({ code: EXIT.unreachable });
    const back = await startRelay({ database: memoryDatabase(), port: Number(port), log: () => {} });
    try {
      expect(await json('fay', args)).toMatchObject({ relay: away.url });
    } finally {
      await back.close();
    }
  });
});

describe('keytide relay', () => {
  const started = (
    data: string,
    more: readonly string[],
    whileRunning: NonNullable<Run['whileRunning']>,
  ): Promise<Finished> => runKeytide(['relay', '--data', data, '--port', '0', ...more], { whileRunning });

  test('prints its address, logs JSON lines to stderr, and ends with SIGTERM: exit code 0', async () => {
    const { code, stdout, stderr } = await started(join(folder, 'data 1'), [], (child) =>
      child.stdout?.once('data', () => child.kill('SIGTERM')),
    );
    expect(code).toBe(EXIT.ok);
    expect(stdout).toMatch(/^relay at http:\/\/127\.0\.0\.1:\d+, data in .*data 1; Ctrl-C ends it\n$/);
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toEqual(['listening', 'closing']);
  });

  test('Ctrl-C while it starts breaks it off: exit code 130, and the folder can be used again', async () => {
    const data = join(folder, 'data 3');
    const { code, stdout, stderr } = await started(data, [], (child) => {
      const looking = setInterval(() => {
        if (!existsSync(data)) return;
        clearInterval(looking);
        child.kill('SIGINT');
      }, 1);
    });
    expect({ code, stdout, stderr }).toEqual({ code: EXIT.interrupted, stdout: '', stderr: '' });
    const again = await started(data, [], (child) => child.stdout?.once('data', () => child.kill('SIGINT')));
    expect(again.code).toBe(EXIT.ok);
  });

  test('a taken port: exit code 2; a folder in use: exit code 3', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const data = join(folder, 'data 2');
    expect(await runKeytide(['relay', '--data', data, '--port', String(port)])).toMatchObject({
      code: EXIT.usage,
    });
    taken.close();
    let second: Promise<Finished> | null = null;
    await started(data, ['--json'], (child) =>
      child.stdout?.once('data', () => {
        second = runKeytide(['relay', '--data', data, '--port', '0']);
        void second.then(() => child.kill('SIGTERM'));
      }),
    );
    expect(await second).toMatchObject({ code: EXIT.locked, stderr: expect.stringMatching(ONE_ERROR_LINE) });
  });

  test('the address of a database, which may hold a password, is never shown', async () => {
    const env = { KEYTIDE_DATABASE: 'postgres://keytide:hunter2hunter2@127.0.0.1:1/none' };
    const { code, stdout, stderr } = await runKeytide(['relay', '--port', '0'], { env });
    expect(code).toBe(EXIT.unexpected);
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stderr).toMatch(ONE_ERROR_LINE);
  });
});

test('a relay that was put back to an older copy is given what it has lost, and goes on', async () => {
  const [live, old] = [join(folder, 'live'), join(folder, 'old')];
  const first = await startRelay({ database: folderDatabase(live), port: 0, log: () => {} });
  const port = Number(new URL(first.url).port);
  await json('gil', ['org', 'create', '--relay', first.url, '--name', 'gil']);
  await first.close();
  await cp(live, old, { recursive: true });
  const second = await startRelay({ database: folderDatabase(live), port, log: () => {} });
  const { link } = await json('gil', ['invite']);
  await second.close();
  // Nobody else is to be waited for.
  const limits = { settleMs: 1 };
  const third = await startRelay({ database: folderDatabase(old), port, limits, log: () => {} });
  try {
    expect(await on('gil', ['members'])).toMatchObject({ code: EXIT.ok });
    await json('hal', ['join', String(link), '--name', 'hal']);
  } finally {
    await third.close();
  }
});
