import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printIdentity, printRecipient } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertOver, parseDeclaration } from '../src/aggregate-declaration.ts';
import { listAggregates } from '../src/commands/aggregates-list.ts';
import { makeAggregates, type AggregatesChoice } from '../src/commands/aggregates-make.ts';
import { exportArchiveTo, type ExportChoice } from '../src/commands/export.ts';
import { createOrg } from '../src/commands/org-create.ts';
import { importRequests } from '../src/commands/requests-import.ts';
import type { Context } from '../src/context.ts';
import { createOutput } from '../src/output.ts';
import { requestRecords } from '../src/request-records.ts';

const KINDS = ['EMS', 'Fire', 'Traffic'];
const kinds = { name: 'kinds', dimensions: [{ field: 'kind', categories: KINDS }] };
const hours = { name: 'hours', dimensions: [{ field: 'hour', cuts: [12] }] };
const declaration = {
  period: { from: '2016-01-01', to: '2016-02-01' },
  views: [kinds, hours],
};
let folder: string;
let relay: Relay;
let said: string;
let noted: string;
let key: string;
let first: string;
let exported: ExportChoice;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-aggregates-'));
  [key, first] = [join(folder, 'identity.txt'), join(folder, 'first')];
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const lines = Array.from({ length: 40 }, (_, i) => {
    const kind = KINDS[i % 9 === 0 ? 1 : 2 * (i % 2)] as string;
    return `40.1,-75.3,${kind}: CASE ${i},2016-01-${10 + (i % 20)} ${10 + (i % 4)}:0${i % 10},AMBLER,${i} MAIN ST & OAK LN`;
  });
  await writeFile(
    join(folder, 'calls.csv'),
    ['lat,lng,title,reportedAt,township,address', ...lines, ',,EMS: NO TIME,,AMBLER,'].join('\n'),
  );
  await createOrg(context(), { relay: relay.url, name: 'ada' });
  await importRequests(context(), join(folder, 'calls.csv'));
}, 60_000);

afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

function context(json = true): Context {
  [said, noted] = ['', ''];
  return {
    home: join(folder, 'ada'),
    timeoutMs: 15_000,
    output: createOutput({
      json,
      stdout: { write: (text) => (said += text) },
      stderr: { write: (text) => (noted += text) },
    }),
    passphrase: { fd: null, env: { KEYTIDE_PASSPHRASE: 'correct horse' }, findPrompt: () => null },
    signal: new AbortController().signal,
  };
}

/** The last that was said to programs. */
// oxlint-disable-next-line no-explicit-any
const outcome = (): any => JSON.parse(said.trimEnd().split('\n').at(-1) as string);

async function make(declared: object, choice: Partial<AggregatesChoice> = {}, json = true): Promise<void> {
  const path = join(folder, 'declaration.json');
  await writeFile(path, JSON.stringify(declared));
  await makeAggregates(context(json), path, { chart: 'bars', ...choice });
}

test('archives say the same as the device, without it', async () => {
  const seed = new Uint8Array(32).fill(5);
  await writeFile(key, printIdentity(seed));
  const recipient = [printRecipient(primitives.decapsulator(seed).publicKey)];
  exported = { recipient, member: [], collection: [], offline: true, lockMode: 'governance' };
  await exportArchiveTo(context(), first, exported);
  await make(declaration, { archive: [first], key });
  const archived = outcome();
  await make(declaration, { offline: true });
  expect(archived).toEqual(outcome());
  expect(archived.tables[0].cells[0]).toMatchObject({ labels: ['EMS'], numbers: { count: 17 } });
  await expect(make(declaration, { archive: [first] })).rejects.toMatchObject({ code: 'usage' });
}, 60_000);

test('numbers are made on the device, shown as a table, and published once', async () => {
  await make(declaration, {}, false);
  expect(said).toBe(
    [
      ...['kinds:', '  KIND            COUNT', '  EMS             17'],
      ...['  Fire            with others (1)', '  Traffic         with others (1)', '  (1) 2 together  23'],
      ...['hours:', '  HOUR         COUNT', '  under 12     20', '  12 and over  20', ''],
    ].join('\n'),
  );
  expect(noted).toContain('Not published');
  expect(noted).toContain('without a time are in no period: 1');

  await make(declaration, { publish: true, yes: true });
  const published = outcome();
  expect(published).toMatchObject({ published: true, tables: [{ view: 'kinds' }, { view: 'hours' }] });
  expect(said).not.toMatch(/MAIN ST|CASE|AMBLER/);
  // Whoever makes the same has the published numbers; other numbers of this time nobody has any more.
  await make(declaration);
  expect(outcome()).toEqual(published);
  for (const choice of [{}, { publish: true, yes: true } as const])
    await expect(make({ ...declaration, k: 12 }, choice)).rejects.toMatchObject({
      code: 'already-published',
    });
  await exportArchiveTo(context(), join(folder, 'rest'), { ...exported, since: first });
  const archive = [first, join(folder, 'rest')];
  await expect(make(declaration, { archive, key })).rejects.toMatchObject({ code: 'already-published' });
  await expect(make(declaration, { archive: archive.toReversed(), key })).rejects.toMatchObject({
    code: 'unsound-archive',
  });
  await listAggregates(context(), {});
  expect(outcome()).toMatchObject({
    published: [{ dataset: 'requests', fromMs: Date.UTC(2016, 0, 1), release: published.release }],
  });
}, 60_000);

test('a table is written as CSV and as a chart', async () => {
  const files = { csv: join(folder, 'kinds.csv'), svg: join(folder, 'kinds.svg') };
  await expect(make(declaration, files)).rejects.toMatchObject({ code: 'usage' });
  await expect(make(declaration, { by: ['kind'] })).rejects.toMatchObject({ code: 'usage' });
  await expect(make(declaration, { view: 'places' })).rejects.toMatchObject({ code: 'usage' });
  await make(declaration, { ...files, view: 'hours', chart: 'columns' });
  expect(await readFile(files.csv, 'utf8')).toBe(
    'hour,count,withheld,together\r\nunder 12,20,,\r\n12 and over,20,,\r\n',
  );
  expect(await readFile(files.svg, 'utf8')).toMatch(/^<svg [^>]*>.*12 and over: 20/);
});

test.each([
  ['{', /is no JSON/, /aggregates\.md/],
  [[], /at its beginning/, /an object/],
  [{ ...declaration, measures: [] }, /has measures/, /Take it out/],
  [{ ...declaration, period: { from: '2016-01-01', to: 'soon' } }, /at period\.to/, /a date such as/],
  [{ ...declaration, period: { from: '2016-01-01', to: '2016-02-30' } }, /at period\.to/, /that there is/],
  [{ ...declaration, views: [] }, /at views/, /at least one view/],
  [{ ...declaration, k: 2.5 }, /at k/, /whole number from 3/],
  [
    { ...declaration, views: [{ name: 'a', dimensions: [{ field: 'address', categories: ['x'] }] }] },
    /at views\.0\.dimensions\.0\.field/,
    /kind, title, township, status, hour, reportedAt/,
  ],
  [{ ...declaration, views: [{ ...kinds, by: 'kind' }] }, /in views\.0 has by/, /Take it out/],
  [
    { ...declaration, views: [kinds, { name: 'b', dimensions: [{ field: 'title', categories: ['x'] }] }] },
    /kind and title/,
    /keep one/,
  ],
])('a declaration says what is wrong with it, and what to do: %j', (declared, message, next) => {
  const json = typeof declared === 'string' ? declared : JSON.stringify(declared);
  expect(() => parseDeclaration(json)).toThrow(
    expect.objectContaining({
      ...{ code: 'bad-declaration', message: expect.stringMatching(message) },
      next: expect.stringMatching(next),
    }),
  );
});

test('a period is over when it is for the last who live in it', () => {
  const plan = parseDeclaration(JSON.stringify(declaration));
  const noon = Date.UTC(2016, 1, 1, 12);
  expect(() => assertOver(plan, noon - 1)).toThrow(expect.objectContaining({ code: 'period-open' }));
  assertOver(plan, noon);
});

test('what contradicts itself is refused by the plan', () => {
  for (const more of [{ k: 9 }, { roundTo: 11 }, { views: [kinds, kinds] }])
    expect(() => parseDeclaration(JSON.stringify({ ...declaration, ...more }))).toThrow(
      expect.objectContaining({ code: 'bad-plan' }),
    );
});

test('a request is in the period and the hour that the clock on the wall said', () => {
  const body = {
    lat: null,
    lng: null,
    title: 'Fire: ALARM',
    township: 'AMBLER',
    address: '',
    status: 'open' as const,
  };
  const at = (reportedAt: string) =>
    requestRecords([{ id: '0'.repeat(32) + 'a'.repeat(32), body: { ...body, reportedAt } }]);
  expect(at('2016-01-15 12:01').records).toEqual([
    {
      ...{ reportedAt: Date.UTC(2016, 0, 15, 12, 1), hour: 12, kind: 'Fire', title: 'Fire: ALARM' },
      ...{ township: 'AMBLER', status: 'open', owner: 'a'.repeat(32) },
    },
  ]);
  for (const reportedAt of ['', 'noon', '2016-02-30 12:01', '15.1.2016 12:01'])
    expect(at(reportedAt)).toEqual({ records: [], timeless: 1 });
});
