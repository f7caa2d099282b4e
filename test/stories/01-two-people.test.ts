import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { concatBytes, decodeCbor, encodeCbor, idBytes, toHex } from '@keytide/crypto-core';
import { nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { parseInviteLink } from '@keytide/key-directory';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Processes, type Line } from '../../examples/first-conversation/src/keytide-process.ts';
import { Person } from '../../examples/first-conversation/src/person.ts';
import { csvRecords } from '../../packages/cli/src/csv-records.ts';
import { findHidden, type Needles } from './hidden-forms.ts';

// What `npm start` does: real commands in processes of their own, over the built packages (`npm test` builds them).
const EXAMPLE = fileURLToPath(new URL('../../examples/first-conversation/', import.meta.url));
const REQUESTS = join(EXAMPLE, 'requests.csv');
const STORY_MS = 240_000;

const processes = new Processes();
let parent: string;
/** The folder that the story made and kept. */
let folder: string;
let start: ChildProcess;
let exitCode: number | null;
let childPids: number[];
let steps: string[];
let link: string;
let passphrases: Readonly<Record<string, string>>;
/** Every byte the relay has stored or printed. */
let relayBytes: Uint8Array;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'keytide two people '));
  const args = [join(EXAMPLE, 'src/start.ts'), '--keep', '--data', parent];
  start = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(start, 'exit');
  const output = linesOf(start.stdout as Readable);
  steps = [];
  for (let step = 1; step <= 12; step += 1) steps.push(await output.until(new RegExp(`^ ?${step}\\. `)));
  link = /keytide join '(\S+)' --name carol/.exec(await output.until(/keytide join/))?.[1] as string;
  await output.until(/keytide chat/);

  const carol = new Person('carol', parent, processes);
  await carol.join(link);
  await carol.openChat();
  carol.say('Carol is here.');
  await output.until(/^carol: Carol is here\.$/);
  start.stdin?.write('Welcome, Carol.\n');
  await carol.sees('Welcome, Carol.');
  await carol.closeChat();

  childPids = await childrenOf(start.pid as number);
  start.kill('SIGINT');
  [exitCode] = (await ended) as [number | null];
  folder = join(parent, (await readdir(parent)).find((name) => name.startsWith('story-')) as string);
  passphrases = JSON.parse(await readFile(join(folder, 'passphrases.json'), 'utf8')) as typeof passphrases;
  const log = await readFile(join(folder, 'relay.log'));
  relayBytes = concatBytes(await everyFileIn(join(folder, 'relay')), log);
}, STORY_MS);

afterAll(async () => {
  start.kill('SIGTERM');
  await processes.end();
  await rm(parent, { recursive: true, force: true });
}, 30_000);

describe('two people and a relay in three processes', () => {
  test('each step says what happened and what the relay could see', () => {
    expect(steps[5]).toMatch(
      /Ada wrote to Bob.* 2 sealed messages, a new key \(sealed to each device\), [\d,]+ bytes together\.$/,
    );
    // People have names here: no id, but for the hash of the lists.
    for (const step of steps.filter((text) => !text.includes('the hash'))) {
      expect(step).not.toMatch(/[0-9a-f]{8}/);
    }
    expect(steps[11]).toContain('the same 5 messages in the same order: nothing acknowledged was lost');
  });

  test('both devices hold the same requests, one of them edited, and the same chat', async () => {
    const [ada, bob] = await Promise.all([requestsOf('ada'), requestsOf('bob')]);
    expect(ada).toEqual(bob);
    expect(ada).toHaveLength(12);
    expect(ada.filter(({ status }) => status === 'assigned')).toHaveLength(1);
    expect((await chatOf('bob')).slice(0, 5)).toEqual((await chatOf('ada')).slice(0, 5));
  });

  test('Ctrl-C ends everything cleanly', () => {
    expect(exitCode).toBe(0);
    expect(childPids).toHaveLength(2);
    for (const pid of childPids) {
      expect(() => process.kill(pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    }
  });
});

describe('what the relay stored and printed', () => {
  test('is really searched: it holds what is public', () => {
    const { org } = parseInviteLink(link);
    const needles = new Map([
      ['organisation', idBytes(org)],
      ['log line', utf8(`"org":"${org.slice(0, 8)}"`)],
      ['handle in a membership entry', encodeCbor('ada')],
    ]);
    expect(findHidden(relayBytes, needles).toSorted()).toEqual([...needles.keys()].toSorted());
  });

  test('holds no cell of the imported file', async () => {
    const [, ...rows] = csvRecords(await readFile(REQUESTS, 'utf8'));
    const cells = new Set(rows.flatMap((row) => row.cells ?? []).filter((cell) => cell.length >= 4));
    expect(cells.size).toBeGreaterThan(50);
    const needles = new Map([...cells].map((cell) => [cell, utf8(cell)]));
    for (const cell of cells) {
      if (/^-?\d+\.\d+$/.test(cell)) needles.set(`${cell} as a number`, encodeCbor(Number(cell)));
    }
    expect(findHidden(relayBytes, needles)).toEqual([]);
  });

  test('holds no line of chat and no edit', async () => {
    const texts = [...(await chatOf('ada')), 'on my way with the boat'];
    expect(texts).toContain('Welcome, Carol.');
    expect(findHidden(relayBytes, new Map(texts.map((text) => [text, utf8(text)])))).toEqual([]);
  });

  test('holds no secret key, no invite secret and no passphrase', async () => {
    const needles = new Map([...(await secretsOf('ada')), ...(await secretsOf('bob'))]);
    parseInviteLink(link).seed.use((seed) => needles.set('invite', seed.slice()));
    for (const [name, passphrase] of Object.entries(passphrases))
      needles.set(`${name} passphrase`, utf8(passphrase));
    expect([...needles.keys()].filter((name) => name.includes('epoch/'))).not.toHaveLength(0);
    expect(findHidden(relayBytes, needles)).toEqual([]);
  });
});

describe('the search itself', () => {
  const secret = 'needle in a haystack';
  const forms: readonly (readonly [string, (bytes: Buffer) => string])[] = [
    ['raw', (bytes) => bytes.toString('latin1')],
    ['hex', (bytes) => bytes.toString('hex')],
    ['capital hex', (bytes) => bytes.toString('hex').toUpperCase()],
    ['base64', (bytes) => bytes.toString('base64')],
    ['base64url', (bytes) => bytes.toString('base64url')],
  ];
  test.each(forms)('finds %s, whatever stands around it', (_, form) => {
    for (let before = 0; before < 4; before += 1) {
      const around = Buffer.from(`${'?'.repeat(before)}${secret}!!`);
      const haystack = utf8(`----${form(around)}----`);
      expect(findHidden(haystack, new Map([['it', utf8(secret)]]))).toEqual(['it']);
      haystack.reverse();
      expect(findHidden(haystack, new Map([['it', utf8(secret)]]))).toEqual([]);
    }
  });

  test('finds a planted secret among what the relay stored', async () => {
    const [[, seed]] = [...(await secretsOf('ada'))] as [[string, Uint8Array]];
    const planted = concatBytes(
      relayBytes.subarray(0, 5000),
      utf8(toHex(seed)),
      relayBytes.subarray(5000, 9000),
    );
    expect(findHidden(planted, new Map([['seed', seed]]))).toEqual(['seed']);
  });
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The relay is gone by now: what the device itself holds. */
async function requestsOf(name: string): Promise<readonly Line[]> {
  const args = ['requests', 'list', '--offline', '--home', join(folder, name)];
  const { requests } = await processes.run({ args, passphrase: passphrases[name] as string });
  return requests as readonly Line[];
}

async function chatOf(name: string): Promise<readonly string[]> {
  const args = ['chat', '--timeout', '1', '--home', join(folder, name)];
  const chat = processes.start({ args, passphrase: passphrases[name] as string });
  chat.endInput();
  await chat.succeeded();
  return chat.lines.filter(({ event }) => event === 'message').map(({ text }) => String(text));
}

async function everyFileIn(path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) parts.push(await readFile(join(entry.parentPath, entry.name)));
  }
  return concatBytes(...parts);
}

/** The seeds and epoch keys in a person's vault, by name. */
async function secretsOf(name: string): Promise<Needles> {
  const path = join(folder, name, 'vault');
  const passphrase = passphrases[name] as string;
  const vault = await openFileVault({ path, passphrase, create: false, random: nodeRandom });
  const secrets = new Map<string, Uint8Array>();
  for (const key of await vault.names('')) {
    const value = (await vault.get(key)) as Uint8Array;
    if (key.startsWith('epoch/')) secrets.set(`${name} ${key}`, value.slice(0, 32));
    if (key !== 'identity') continue;
    const [, , , , signingSeed, sealingSeed] = decodeCbor(value, value.length) as Uint8Array[];
    secrets.set(`${name} signing seed`, signingSeed as Uint8Array);
    secrets.set(`${name} sealing seed`, sealingSeed as Uint8Array);
  }
  await vault.close();
  for (const secret of secrets.values()) expect(secret).toHaveLength(32);
  return secrets;
}

/** Lines as they come; `until` skips to the next one that matches. */
function linesOf(stream: Readable): { until(pattern: RegExp): Promise<string> } {
  const lines = createInterface({ input: stream })[Symbol.asyncIterator]();
  return {
    async until(pattern) {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`the output ended before ${pattern}`);
        if (pattern.test(value)) return value;
      }
    },
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  }
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  const rows = stdout.split('\n').map((row) => row.trim().split(/ +/).map(Number));
  return rows.filter(([, itsParent]) => itsParent === pid).map(([child]) => child as number);
}
