import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPeople } from './people.ts';
import { play, transcriptOf } from './transcript.ts';

const GUIDE = fileURLToPath(new URL('../../../docs/guides/aggregates.md', import.meta.url));
const CALLS = { EMS: 31, Fire: 4, Traffic: 25 };
const PLACES = ['AMBLER', 'LANSDALE', 'AMBLER', 'NORRISTOWN', 'LANSDALE', 'HATBORO', 'AMBLER', 'LANSDALE'];
const MORE = { KEYTIDE_PASSPHRASE: 'correct horse' };

let people: Awaited<ReturnType<typeof openPeople>>;
let guide: string;

beforeAll(async () => {
  people = await openPeople();
  guide = await readFile(GUIDE, 'utf8');
  const { folder, relay } = people;
  const on = async (name: string, ...args: string[]) => {
    const { code, said } = await people.on(name, args, '', MORE);
    expect(code).toBe(0);
    return said;
  };
  await on('ada', 'org', 'create', '--relay', relay.url, '--name', 'ada');
  await on('bo', 'join', (await on('ada', 'invite', '--role', 'admin')).link, '--name', 'bo');
  const calls = Object.entries(CALLS).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
  const lines = calls.map((kind, i) => {
    const day = String(1 + (i % 31)).padStart(2, '0');
    return `,,${kind}: CALL ${i},2026-01-${day} 1${i % 10}:00,${PLACES[i % PLACES.length]},${i} MAIN ST`;
  });
  await writeFile(
    join(folder, 'calls.csv'),
    ['lat,lng,title,reportedAt,township,address', ...lines].join('\n'),
  );
  await on('ada', 'requests', 'import', join(folder, 'calls.csv'));
}, 60_000);

afterAll(() => people?.close());

test('the transcripts of the guide are what really comes out', async () => {
  const declaration = /^```json\n(.*?)^```$/ms.exec(guide)?.[1] as string;
  await writeFile(join(people.folder, 'january.json'), declaration);
  const { shown, came } = await play(transcriptOf(guide), people.folder, people.relay.url);
  expect(came).toBe(shown);
}, 120_000);

test('who counts other numbers does not approve them unread, and nobody approves numbers unseen', async () => {
  const { folder } = people;
  const file = (name: string): string => join(folder, name);
  const views = [{ name: 'states', dimensions: [{ field: 'status', categories: ['open', 'done'] }] }];
  const declared = { period: { from: '2025-12-01', to: '2026-01-01' }, views };
  const calls = Array.from({ length: 12 }, (_, i) => `,,EMS: CALL ${i},2025-12-05 12:00,AMBLER,${i} OAK LN`);
  await writeFile(file('december.json'), JSON.stringify(declared));
  await writeFile(file('more.csv'), ['lat,lng,title,reportedAt,township,address', ...calls].join('\n'));
  await people.on('ada', ['requests', 'import', file('more.csv')], '', MORE);
  await people.on(
    'ada',
    ['aggregates', 'make', file('december.json'), '--propose', file('states')],
    '',
    MORE,
  );
  const approve = ['approve', file('states'), '--out', file('states.bo'), '--yes'];
  expect(await people.on('bo', approve, '', MORE)).toMatchObject({ failed: { error: { code: 'usage' } } });
  // A request that ada has not counted.
  await writeFile(
    file('late.csv'),
    'lat,lng,title,reportedAt,township,address\n,,EMS: LATE,2025-12-05 12:00,AMBLER,1 OAK LN',
  );
  await people.on('bo', ['requests', 'import', file('late.csv')], '', MORE);
  const numbers = ['--numbers', file('states.json')];
  expect(await people.on('bo', [...approve, ...numbers], '', MORE)).toMatchObject({
    code: 5,
    failed: { error: { code: 'other-numbers' } },
  });
  await writeFile(
    file('altered.json'),
    (await readFile(file('states.json'), 'utf8')).replace('"count":12', '"count":13'),
  );
  expect(await people.on('bo', [...approve, '--numbers', file('altered.json')], '', MORE)).toMatchObject({
    failed: { error: { code: 'other-release' } },
  });
}, 120_000);
