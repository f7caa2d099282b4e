import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportArchive, verifyArchive } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { dealQuorum, printShare, readPrintedShare, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archiveKey, optionsFor, said } from '../../archive/test/exporting.ts';
import { worldSource } from '../../archive/test/world-source.ts';
import { recoverArchive, type RecoverChoice } from '../src/commands/recover.ts';
import type { Work } from '../src/context.ts';
import { EXIT } from '../src/exit-codes.ts';
import { here } from './here.ts';

let folder: string;
/** Of three holders; what was dealt, as it is printed. */
let [ana, bram, chidi]: string[] = [];
/** Of another set of the same key, and of one of another key. */
let [anew, foreign]: string[][] = [];
let set: Uint8Array;
const at = (...names: string[]): string => join(folder, ...names);
const seed = () => Secret.own(new Uint8Array(32).fill(0x5e));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-recover-'));
  const source = worldSource('recovered', 3, archiveKey.publicKey);
  await source.day([said(0, 1, { text: 'in the archive' })]);
  const deal = (secret = seed()) => {
    const [{ signer }] = source.world.members[0].devices;
    const among = { threshold: 2, holders: ['Ana', 'Bram', 'Chidi'], createdMs: 1 };
    const key = { kind: 'x-wing-seed', secret } as const;
    return dealQuorum({ primitives, random, signer, org: source.org, ...key, ...among });
  };
  const dealt = await deal();
  ({ set } = dealt);
  [ana, bram, chidi] = dealt.shares.map(({ share }) => printShare(share));
  const dealtAnew = async (secret?: Secret) =>
    (await deal(secret)).shares.map(({ share }) => printShare(share));
  anew = await dealtAnew();
  foreign = await dealtAnew(Secret.own(new Uint8Array(32).fill(7)));
  const options = { ...optionsFor(source, folderDestination(at('without'))), recipients: [] };
  await exportArchive(options);
  const withSet = { ...source, archiveKeySet: async () => set };
  await exportArchive({ ...options, source: withSet, destination: folderDestination(at('archive')) });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function recovering(to: string, choice: Partial<RecoverChoice> = {}, archive = 'archive'): Work {
  const all = { to: at(to), format: [], member: [], collection: [], ...choice };
  return (context) => recoverArchive(context, at(archive), all);
}

async function isOpen(name: string): Promise<boolean> {
  return await stat(at(name)).then(
    () => true,
    () => false,
  );
}

test('enough of the holders type, whatever else is typed, and it opens as soon as there are enough', async () => {
  const typed = [ana, `${ana?.slice(0, -1)}?`, foreign?.[1], poisoned(bram), ana, chidi, 'never asked for'];
  const rest = typed.slice() as string[];
  expect(await here(recovering('typed'), rest)).toMatchObject([
    EXIT.ok,
    { verification: { verdict: 'sound' } },
  ]);
  expect(rest).toEqual(['never asked for']);
  expect(await readFile(at('typed', 'entries.jsonl'), 'utf8')).toContain('in the archive');
});

test('or their sheets; with too few nothing is opened, and the bad ones are named', async () => {
  for (const [name, share] of Object.entries({ ana, bram, foreign: foreign?.[1], poisoned: poisoned(bram) }))
    await writeFile(at(name), `A sheet\n\n${share}\n`);
  const few = { share: [at('ana'), at('foreign'), at('poisoned'), at('ana')] };
  const refused: unknown[] = [];
  const heard = here((context) => {
    const output = { ...context.output, event: (event: object) => void refused.push(event) };
    return recovering('few', few)({ ...context, output });
  });
  expect(await heard).toEqual([EXIT.usage, 'too-few-shares']);
  expect(refused).toMatchObject([
    { from: at('foreign'), code: 'wrong-context', holder: null },
    { from: at('poisoned'), code: 'poisoned-share', holder: 'Bram' },
    { from: at('ana'), code: 'duplicate-share', holder: 'Ana' },
  ]);
  expect(await isOpen('few')).toBe(false);
  expect(await here(recovering('sheets', { share: [at('ana'), at('bram')] }))).toMatchObject([EXIT.ok, {}]);
  expect(await here(recovering('ended'), [ana as string, ''])).toEqual([EXIT.usage, 'too-few-shares']);
  expect(await here(recovering('nobody'))).toEqual([EXIT.usage, 'usage']);
});

test('the set is that of the archive, or a file beside it, and is checked against the membership log', async () => {
  const types = () => [ana, chidi] as string[];
  await writeFile(at('set'), set);
  const beside = recovering('beside', { set: at('set') }, 'without');
  expect(await here(beside, types())).toMatchObject([EXIT.ok, {}]);
  const altered = Buffer.from(Buffer.from(set).toString('latin1').replace('Bram', 'Brim'), 'latin1');
  await writeFile(at('altered'), altered);
  expect(await here(recovering('altered set', { set: at('altered') }), types())).toEqual([
    ...[EXIT.usage, 'altered-set'],
  ]);
  const source = worldSource('recovered', 3, archiveKey.publicKey);
  await source.day([]);
  const [{ signer }] = source.world.members[2]!.devices;
  const among = { threshold: 2, holders: ['Mallory', 'Bram'], createdMs: 1 };
  const key = { kind: 'x-wing-seed', secret: seed() } as const;
  const forged = await dealQuorum({ primitives, random, signer, org: source.org, ...key, ...among });
  await writeFile(at('forged'), forged.set);
  expect(await here(recovering('forged set', { set: at('forged') }), types())).toEqual([
    ...[EXIT.usage, 'foreign-set'],
  ]);
  // Found when it is verified, not decades later.
  const files = folderDestination(at('with forged'));
  const withForged = { ...source, archiveKeySet: async () => forged.set };
  await exportArchive({ ...optionsFor(source, files), recipients: [], source: withForged });
  expect((await verifyArchive({ primitives, files })).findings).toMatchObject([
    { code: 'key-set-refused', detail: 'wrong-context' },
  ]);
  for (const name of ['altered set', 'forged set']) expect(await isOpen(name)).toBe(false);
});

test('shares of another set of the key open it as well, and one without any set', async () => {
  const [one, two, three] = anew as [string, string, string];
  const typed = [ana as string, one, poisoned(three), foreign?.[0] as string, two, 'never asked for'];
  expect(await here(recovering('dealt anew', {}), typed)).toMatchObject([EXIT.ok, {}]);
  expect(typed).toEqual(['never asked for']);
  expect(await here(recovering('setless', {}, 'without'), [ana as string, chidi as string])).toMatchObject([
    ...[EXIT.ok, {}],
  ]);
  const sheets = { ana, one, two, poisoned: poisoned(three), other: foreign?.join('\n') };
  for (const [name, text] of Object.entries(sheets)) await writeFile(at(name), `${text}\n`);
  const from = (...names: string[]) => ({ share: names.map((name) => at(name)) });
  const refused: unknown[] = [];
  const heard = here((context) => {
    const output = { ...context.output, event: (event: object) => void refused.push(event) };
    const choice = { ...from('other', 'poisoned', 'one', 'two', 'one'), format: ['jsonl'] as const };
    return recovering('by sheets', choice, 'without')({ ...context, output });
  });
  expect(await heard).toMatchObject([EXIT.ok, { verification: { verdict: 'sound' } }]);
  expect(refused.slice(0, 5)).toMatchObject([
    ...Array.from({ length: 3 }, () => ({ from: at('other'), code: 'wrong-context' })),
    { from: at('poisoned'), code: 'poisoned-share' },
    { from: at('one'), code: 'duplicate-share' },
  ]);
  // Neither key is that of the archive, nor are two of three shares of different sets.
  for (const [archive, ...names] of [
    ['without', 'other', 'one'],
    ['archive', 'other', 'one'],
    ['archive', 'ana', 'one'],
  ] as const)
    expect(await here(recovering('neither', from(...names), archive))).toEqual([
      EXIT.usage,
      'too-few-shares',
    ]);
  expect(await isOpen('neither')).toBe(false);
});

/** A share of the same holder with another value. */
function poisoned(printed: string | undefined): string {
  const bytes = readPrintedShare(printed as string).use((share) => share.slice());
  bytes[50]! ^= 1;
  return printShare(Secret.own(bytes));
}
