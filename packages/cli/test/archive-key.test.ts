import { printIdentity, printRecipient } from '@keytide/archive';
import {
  combineShares,
  dealQuorum,
  orgId,
  parseQuorumSet,
  printShare,
  readPrintedShare,
  Secret,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { combineArchiveKey } from '../src/commands/archive-key-combine.ts';
import { drillArchiveKey } from '../src/commands/archive-key-drill.ts';
import type { Work } from '../src/context.ts';
import { EXIT } from '../src/exit-codes.ts';
import { describeFailure } from '../src/failure.ts';
import { createOutput } from '../src/output.ts';
import { openPeople } from './people.ts';

const { folder, relay, on, close } = await openPeople();
afterAll(close);

const inFolder = (...names: string[]): string => join(folder, ...names);
const set = inFolder('key', 'archive-key.set');
const [ana, bram, chidi] = ['1-Ana', '2-Bram', '3-Chidi'].map((name) =>
  inFolder('key', `share-${name}.txt`),
) as [string, string, string];
const failure = (exit: number, code: string) => ({ code: exit, failed: { error: { code } } });
const names = ['--name', 'Ana', '--name', 'Bram', '--name', 'Chidi', '--needed', '2'];
const make = ['archive-key', 'make', ...names, '--out', inFolder('key')];

/** Runs a command without a process and without a device, by somebody who types these answers: its exit code, and what it said, or the code of its error. */
async function here(work: Work, types: string[] | null = null): Promise<unknown[]> {
  let [stdout, stderr] = ['', ''];
  const output = createOutput({
    json: true,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  const passphrase = { fd: null, env: {}, findPrompt: () => ask };
  const { signal } = new AbortController();
  const ask = types === null ? null : async () => types.shift() ?? '';
  try {
    const code = await work({ home: inFolder('nobody'), timeoutMs: 1, output, passphrase, signal });
    expect(stderr).toBe('');
    return [code ?? EXIT.ok, JSON.parse(stdout.trimEnd().split('\n').at(-1) as string)];
  } catch (error) {
    const { exitCode, code } = describeFailure(error);
    return [exitCode, code];
  }
}

test('a key is made, split anew and put together, and its seed is nowhere but where it was asked for', async () => {
  await on('ada', ['org', 'create', '--relay', relay.url, '--name', 'ada']);
  const proposal = inFolder('proposal');
  const { said: proposed } = await on('ada', [...make, '--propose', proposal]);
  expect(proposed).toMatchObject({ proposal, kind: 'policy', approvals: 0 });
  for (const file of [set, ana, bram, chidi]) expect((await stat(file)).mode & 0o777).toBe(0o600);
  const drill = ['archive-key', 'drill', '--set', set, '--share', ana, bram, chidi];
  expect(await on('ada', drill)).toMatchObject(failure(EXIT.usage, 'other-key'));
  await on('ada', ['submit', proposal]);
  expect(await on('ada', make)).toMatchObject(failure(EXIT.usage, 'not-confirmed'));
  await relay.close();

  const change = ['--name', 'Ana', '--name', 'Dunya', '--needed', '2', '--out', inFolder('new')];
  const reshare = ['archive-key', 'reshare', '--set', set, ...change, '--share', '-'];
  const both = (await Promise.all([bram, chidi].map((path) => readFile(path, 'utf8')))).join('\n');
  const reshared = await on('ada', reshare, both);
  const key = await keyOn(ana);
  expect(reshared).toMatchObject({
    code: EXIT.ok,
    said: { key, folder: inFolder('new'), dealer: { handle: 'ada', role: 'admin' } },
  });
  const files = ['archive-key.set', 'recipient.txt', 'share-1-Ana.txt', 'share-2-Dunya.txt'];
  expect((await readdir(inFolder('new'))).toSorted()).toEqual(files);
  const [newSet, , ...newSheets] = files.map((file) => inFolder('new', file)) as [string, string];
  expect(
    await on('ada', ['archive-key', 'drill', '--set', newSet, '--share', ...newSheets, bram]),
  ).toMatchObject({
    code: EXIT.alarm,
    said: {
      ...{ key, checked: 'log', dealer: { handle: 'ada', role: 'admin' }, isCurrent: true },
      ...{ good: 2, needed: 2, gives: 'the-key' },
      shares: [{ verdict: 'good' }, { verdict: 'good' }, { from: bram, verdict: 'wrong-context' }],
    },
  });
  const wire = await readFile(set);
  const forged = inFolder('forged.set');
  await writeFile(forged, Buffer.from(wire.toString('latin1').replace('Bram', 'Brim'), 'latin1'));
  expect(await on('ada', ['archive-key', 'drill', '--set', forged, '--share', ana])).toMatchObject(
    failure(EXIT.usage, 'altered-set'),
  );

  const out = inFolder('identity.txt');
  const combine = ['archive-key', 'combine', '--no-device', '--set', set, '--out', out, '--share'];
  const combined = await on('nobody', [...combine, ana, bram]);
  expect(combined).toMatchObject({ code: EXIT.ok, said: { file: out, key, checked: 'nothing' } });
  expect((await stat(out)).mode & 0o777).toBe(0o600);
  const identity = (await readFile(out, 'utf8')).trimEnd().split('\n').at(-1) as string;
  const shares = await Promise.all([ana, chidi].map(async (path) => readPrintedShare(await shareOn(path))));
  const { secret } = await combineShares(primitives, parseQuorumSet(primitives, wire), shares);
  const seed = secret.use((bytes) => Buffer.from(bytes));
  expect(identity).toBe(printIdentity(seed));
  const recipient = printRecipient(primitives.decapsulator(seed).publicKey);
  expect(combined.said.recipient).toBe(recipient);
  expect((await readFile(inFolder('new', 'recipient.txt'), 'utf8')).trim()).toBe(recipient);
  // In none of the forms in which it could have been left.
  const said = JSON.stringify([proposed, reshared, combined]);
  const left = [await contents('key'), await contents('new'), said].join('\n');
  for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const)
    expect(left).not.toContain(seed.toString(form).replaceAll('=', ''));
  expect(left).not.toContain(identity);
}, 240_000);

test('a drill names what is wrong with each share', async () => {
  const other = await dealQuorum({
    ...{ primitives, random, signer: primitives.signer(random(32)), org: orgId(random(32)) },
    ...{ kind: 'x-wing-seed', secret: Secret.own(random(32)), threshold: 2, holders: ['X', 'Y'] },
    createdMs: 1,
  });
  const poisoned = readPrintedShare(await shareOn(bram)).use((share) => share.slice());
  poisoned[50] = (poisoned[50] as number) ^ 1;
  const typed = [
    printShare(Secret.own(poisoned)),
    printShare(other.shares[0]?.share as Secret),
    await shareOn(ana),
    `${(await shareOn(chidi)).slice(0, -1)}b`,
    (await shareOn(chidi)).toLowerCase().replaceAll(' ', '-'),
  ];
  const many = inFolder('many.txt');
  await writeFile(many, `${typed.join('\n')}\n\nno share\n`);
  const drill = (share: string[], fingerprint?: string) =>
    here((context) =>
      drillArchiveKey(context, {
        ...{ set, share, device: false },
        ...(fingerprint === undefined ? {} : { fingerprint }),
      }),
    );
  const key = await keyOn(ana);
  const bySheet = `${key.slice(0, 32).toUpperCase()} ${key.slice(32)}`;
  expect(await drill([ana, bram, chidi], bySheet)).toMatchObject([
    EXIT.ok,
    { key, checked: 'fingerprint', good: 3, needed: 2, gives: 'the-key' },
  ]);
  expect(await drill([ana, many, set])).toEqual([
    EXIT.alarm,
    expect.objectContaining({
      ...{ checked: 'nothing', good: 2, needed: 2, gives: 'the-key' },
      shares: [
        { from: ana, holder: 'Ana', verdict: 'good' },
        { from: many, holder: 'Bram', verdict: 'poisoned-share' },
        { from: many, holder: null, verdict: 'wrong-context' },
        { from: many, holder: 'Ana', verdict: 'duplicate-share' },
        { from: many, holder: null, verdict: 'mistyped-share' },
        { from: many, holder: 'Chidi', verdict: 'good' },
        { from: set, holder: null, verdict: 'mistyped-share' },
      ],
    }),
  ]);
  expect(await drill([ana])).toMatchObject([EXIT.alarm, { good: 1, needed: 2, gives: 'nothing-yet' }]);
  expect(await drill([ana, bram], 'ab'.repeat(32))).toEqual([EXIT.usage, 'other-key']);
  expect(await drill([ana, bram], 'abc')).toEqual([EXIT.usage, 'usage']);
  const typing = (answers: string[] | null) =>
    here((context) => drillArchiveKey(context, { set, device: false }), answers);
  const [mistyped, fresh] = [typed[3] as string, typed[4] as string];
  expect(
    await typing([mistyped, fresh, 'no share', typed[2] as string, '', typed[0] as string]),
  ).toMatchObject([
    EXIT.ok,
    {
      shares: [
        { from: 'typed', holder: 'Chidi' },
        { from: 'typed', holder: 'Ana' },
      ],
    },
  ]);
  expect(await typing(null)).toEqual([EXIT.usage, 'usage']);
  const withoutHome = { set, share: [ana], device: true };
  expect(await here((context) => drillArchiveKey(context, withoutHome))).toEqual([
    EXIT.usage,
    'no-organisation',
  ]);
  const noSet = { set: ana, share: [ana], device: false };
  expect(await here((context) => drillArchiveKey(context, noSet))).toEqual([EXIT.usage, 'not-a-set']);
});

test('shares that the dealer did not take from the key it signed give no key', async () => {
  // The fingerprint of another secret, by a dealer who signs whatever it likes.
  const signer = primitives.signer(random(32));
  const lie = await dealQuorum({
    ...{ primitives, random, org: orgId(random(32)), signer, kind: 'x-wing-seed', threshold: 2 },
    ...{ secret: Secret.own(random(32)), holders: ['X', 'Y'], createdMs: 1 },
  });
  const honest = parseQuorumSet(primitives, lie.set);
  const wire = Buffer.from(lie.set);
  const at = wire.indexOf(Buffer.from(honest.fingerprint));
  wire.set(random(32), at);
  const [wrong, sheets] = [inFolder('wrong.set'), inFolder('wrong.txt')];
  await writeFile(wrong, wire);
  await writeFile(sheets, lie.shares.map(({ share }) => printShare(share)).join('\n'));
  const options = { set: wrong, share: [sheets], device: false, out: inFolder('never') };
  expect(await here((context) => drillArchiveKey(context, options))).toMatchObject([
    EXIT.alarm,
    { good: 2, gives: 'another-key' },
  ]);
  expect(await here((context) => combineArchiveKey(context, options))).toEqual([EXIT.usage, 'other-key']);
  expect(await here((context) => combineArchiveKey(context, { ...options, set, share: [ana] }))).toEqual([
    EXIT.usage,
    'too-few-shares',
  ]);
  await expect(stat(options.out)).rejects.toMatchObject({ code: 'ENOENT' });
});

/** The share on a sheet. */
async function shareOn(path: string): Promise<string> {
  return /^KTS1[^\n]*\n[^\n]*$/m.exec(await readFile(path, 'utf8'))?.[0] ?? '';
}

/** The fingerprint on a sheet. */
async function keyOn(path: string): Promise<string> {
  return /^Key +([0-9a-f]{64})$/m.exec(await readFile(path, 'utf8'))?.[1] ?? '';
}

async function contents(name: string): Promise<string> {
  const files = await readdir(inFolder(name));
  return (await Promise.all(files.map((file) => readFile(inFolder(name, file), 'latin1')))).join('\n');
}
