import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hybridIdentity, verifyArchive, type ExportedArchive, type SignedManifest } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import {
  attachment,
  ClientError,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type Ports,
} from '@keytide/client';
import { acknowledgeArchive, exportOrganisation, type OrganisationExport } from '@keytide/client/export';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { leapingClock } from '../stories/leaping-clock.ts';
import { archiveKey, attachmentIn, boxesIn, countsIn, linesOf, told } from './archived.ts';

const DAY_MS = 86_400_000;
const PATIENCE = { timeout: 40_000 };
const requests = sensitive.record(z.object({ title: z.string(), status: z.string() }));
const file = attachment().exactOptional();
const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string(), file })),
  requests,
});
/** What bo's app takes for a message, and nobody else's. */
const other = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.union([z.string(), z.number()]), file })),
  requests,
});
type Device = Client<typeof definition>;

const clock = leapingClock(1_767_225_600_000 + 600_000);
const content = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) ^ (i >> 8));
const records: string[] = [];
let isThere = true;
let folder: string;
let relay: Relay;
let ada: Device;
let bo: Client<typeof other>;
let cy: Device;
let dee: Device;
let blob: string;
let first: ExportedArchive;

/** Ports whose network may go away. */
function ports(): Ports {
  const real = clock.ports();
  return {
    ...real,
    fetch: (input, init) => (isThere ? real.fetch(input, init) : Promise.reject(new TypeError('no network'))),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-export-'));
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log: () => {} });
  const options = { definition, ports: ports(), store: memoryDeviceStore() };
  const policy = { blockSeconds: 86_400, retentionSeconds: 2 * 86_400, exportSeconds: 6 * 86_400 };
  const founding = { relayUrl: relay.url, handle: 'ada', policy: { ...policy, exportWaived: true as const } };
  ada = await createOrganisation({ ...options, ...founding });
  bo = await join({
    ...{ definition: other, ports: ports(), store: memoryDeviceStore() },
    ...{ link: await ada.invite(), handle: 'bo' },
  });
  await Promise.all([ada.online(), bo.online()]);
});

afterAll(async () => {
  isThere = true;
  await Promise.all([ada, bo, cy, dee].map((client) => client?.close()));
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

const admit = async (handle: string): Promise<Device> => {
  const link = await ada.invite({ role: 'exporter' });
  return join({ definition, ports: ports(), store: memoryDeviceStore(), link, handle });
};
/** Exports, and has everything verified, also what is sealed. */
async function exporting(name: string, by: Device, options: Partial<OrganisationExport> = {}) {
  const destination = folderDestination(pathOf(folder, name));
  const recipients = [archiveKey.publicKey];
  const exported = await exportOrganisation(by, { destination, recipients, ...options });
  const { since } = options;
  const report = await verifyArchive({
    ...{ primitives, files: destination, org: by.org },
    ...{ identities: [hybridIdentity(primitives, archiveKey)], ...(since ? { previous: since } : {}) },
  });
  expect(report.findings.filter(({ weight }) => weight === 'fault')).toEqual([]);
  expect(report.verdict).toBe('sound');
  return exported;
}

type Stats = Parameters<typeof acknowledgeArchive>[1];

/** As of an archive that lacks nothing. */
function whole(signed: SignedManifest): Stats {
  const attachments = { present: 0, sizeBytes: 0, missing: {} };
  return { signed, groups: [], attachments };
}

/** As of the first archive, had it entries and attachments with these codes. */
function lacking(unreadable: Record<string, number>, missing: Record<string, number> = {}): Stats {
  const stats = whole(first.signed);
  const groups = [{ unreadable }] as unknown as Stats['groups'];
  return { ...stats, groups, attachments: { ...stats.attachments, missing } };
}

const linesIn = (name: string) => linesOf(pathOf(folder, name));

/** So much later everybody is online again. */
async function later(ms: number, ...awake: readonly { state: Device['state']; on: Device['on'] }[]) {
  const back = awake.map(
    (client) =>
      new Promise<void>((resolve) => {
        const stop = client.on('state', ({ kind }) => {
          if (kind !== 'online') return;
          stop();
          resolve();
        });
      }),
  );
  clock.leap(ms);
  await Promise.all(back);
}

async function twoDays(day: number): Promise<void> {
  await later(2 * DAY_MS, ada, cy);
  await says(ada, `day ${day}`);
  // Their keys begin anew some seconds after they are back.
  clock.leap(60_000);
  await says(cy, `day ${day}, too`, ada);
}

/** After a leap a connection may be given up once more: then there may be no key yet to write with. */
async function whenOnline(by: Device, work: () => Promise<void>): Promise<void> {
  for (;;) {
    await by.online();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-ready') throw error;
    }
  }
}

async function says(by: Device, text: string, ...heardBy: readonly Device[]): Promise<void> {
  await whenOnline(by, () => by.collections.chat.append({ text }));
  await by.settled();
  for (const one of heardBy)
    await expect
      .poll(() => one.collections.chat.read().map(({ body }) => body.text), PATIENCE)
      .toContain(text);
}

/** What a device shows of the log after an entry, in its order, as `told` says it. */
function shown(by: Device, after = 0): string[] {
  const all: [number, string][] = [
    ...by.collections.chat.read().map(({ seq, member, role, room }): [number, string] => {
      return [seq, `${member} ${role} ${JSON.stringify([0, 'chat', room])}`];
    }),
    ...records
      .flatMap((id) => by.collections.requests.history(id))
      .map(({ seq, member, role, act, id }): [number, string] => {
        const number = ['append', 'create', 'edit', 'remove'].indexOf(act);
        return [seq, `${member} ${role} ${JSON.stringify([number, 'requests', id])}`];
      }),
    ...by.rejected.map(({ seq, member, role, code }): [number, string] => [seq, `${member} ${role} ${code}`]),
    ...by.unreadable
      .filter(({ code, throughSeq }) => code !== 'invalid' && throughSeq === undefined)
      .map(({ seq, code }): [number, string] => [seq, code]),
  ];
  return all
    .filter(([seq]) => seq > after)
    .toSorted(([a], [b]) => a - b)
    .map(([seq, what]) => `${seq} ${what}`);
}

/** An export of what a device shows: its lines. Once more where keys or entries have come meanwhile. */
async function exportedAsShown(name: string, by: Device) {
  for (let attempt = 1; ; attempt += 1) {
    const before = shown(by);
    const { signed } = await exporting(`${name}${attempt}`, by);
    const lines = await linesIn(`${name}${attempt}`);
    const isStill = JSON.stringify(before) === JSON.stringify(shown(by));
    if (!isStill && attempt < 5) continue;
    expect(told(lines)).toEqual(shown(by));
    return { signed, lines };
  }
}

test('a week of work: talk, requests of several, a file, what breaks the rules, and a removal', async () => {
  await says(ada, 'hello');
  await bo.collections.chat.append({ text: 4 });
  const ref = await bo.attachments.upload(content, { name: 'road.jpg' });
  ({ blob } = ref);
  await bo.collections.chat.append({ text: 'look', file: ref });
  for (const title of ['water', 'blankets'])
    records.push(await ada.collections.requests.create({ title, status: 'open' }));
  const [water, blankets] = records as [string, string];
  await ada.settled();
  await expect.poll(() => bo.collections.requests.list().length, PATIENCE).toBe(2);
  await bo.collections.requests.edit(water, { status: 'on its way' });
  await bo.settled();
  await expect.poll(() => ada.collections.requests.get(water)?.body.status, PATIENCE).toBe('on its way');
  await ada.collections.requests.edit(water, { title: 'clean water' });
  await ada.collections.requests.remove(blankets);
  await later(DAY_MS, ada, bo);
  cy = await admit('cy');
  await says(ada, 'day 1', cy);
  await ada.removeMember(bo.member);
  await says(ada, 'without bo', cy);
});

test('an admin exports what the client shows, to the last message', async () => {
  const progress: string[] = [];
  first = await exporting('a', ada, {
    onProgress: ({ phase, done, total }) => progress.push(`${phase} ${done}/${total}`),
  });
  expect(told(await linesIn('a'))).toEqual(shown(ada));
  expect(first.missing).toEqual([]);
  expect((await attachmentIn(pathOf(folder, 'a'), blob)).equals(content)).toBe(true);
  expect(countsIn(first.signed)).toMatchObject({ from: 1, invalid: 1, unreadable: 0, skipped: 0 });
  expect(progress.at(-1)).toBe('attachments 1/1');
});

test('somebody without keys for a part exports that part as what it is', async () => {
  const { lines } = await exportedAsShown('b', cy);
  expect(new Set(lines.map(({ unreadable }) => unreadable))).toEqual(new Set(['ask-an-admin', undefined]));
});

test('without a network the rest is exported on its own, and nothing twice', async () => {
  await says(ada, 'one more', cy);
  ada.pause();
  isThere = false;
  const { signed } = await exporting('c', ada, { since: first.signed });
  const through = first.signed.manifest.groups[0]?.throughSeq ?? NaN;
  expect(countsIn(signed)).toMatchObject({ from: through + 1, messages: 1 });
  expect(told(await linesIn('c'))).toEqual(shown(ada, through));
});

test('a file that cannot be had ends the export; it goes on when there is a network', async () => {
  const broken = exporting('d', ada).then(
    () => null,
    (error: unknown) => error,
  );
  let isOver = false;
  void broken.then(() => void (isOver = true));
  await expect
    .poll(() => {
      clock.leap(20_000);
      return isOver;
    }, PATIENCE)
    .toBe(true);
  expect(await broken).toMatchObject({ code: 'offline' });
  // Of a relay that is gone for good there is the rest.
  const alone = await exporting('i', ada, { isOffline: true });
  expect(alone.missing).toEqual([{ blob, code: 'offline' }]);
  expect(told(await linesIn('i'))).toEqual(shown(ada));
  isThere = true;
  ada.resume();
  await ada.online();
  await says(ada, 'after the stop', cy);
  // Nor is a relay asked that is there.
  expect((await exporting('l', ada, { isOffline: true })).missing).toEqual([{ blob, code: 'offline' }]);
  const { signed, missing } = await exporting('d', ada);
  expect(missing).toEqual([]);
  // It is of when it was begun.
  expect(told(await linesIn('d'))).toEqual(shown(ada).slice(0, -1));
  expect(signed.manifest.groups[0]?.throughSeq).toBe((ada.collections.chat.read().at(-1)?.seq as number) - 1);
});

test('it is acknowledged from where the acknowledged ends, and only as a whole', async () => {
  const rest = await exporting('e', ada, { since: first.signed });
  const filtered = await exporting('f', ada, { filter: { members: [ada.member] } });
  expect(await acknowledgeArchive(ada, whole(rest.signed))).toBe('begins-later');
  expect(await acknowledgeArchive(ada, whole(filtered.signed))).toBe('filtered');
  const [group] = first.signed.manifest.groups;
  if (group === undefined) throw new Error('no group');
  const manifest = { ...first.signed.manifest, groups: [{ ...group, root: new Uint8Array(32) }] };
  expect(await acknowledgeArchive(ada, whole({ ...first.signed, manifest }))).toBe('other-log');
  // Of a tail that this device has never seen, it says nothing.
  const longer = { ...group, throughSeq: group.throughSeq + 1000 };
  const beyond = { ...first.signed.manifest, groups: [longer] };
  expect(await acknowledgeArchive(ada, whole({ ...first.signed, manifest: beyond }))).toBe('other-log');
  // Nor of what lacks something that another device may have: nothing brings that back.
  for (const [stats, code] of [
    [lacking({ 'ask-an-admin': 1 }), 'keys-missing'],
    [lacking({}, { offline: 1 }), 'attachments-missing'],
  ] as const)
    expect(await acknowledgeArchive(ada, stats)).toBe(code);
  expect(await acknowledgeArchive(ada, lacking({ tampered: 1 }, { 'attachment-gone': 1, tampered: 1 }))).toBe(
    'acknowledged',
  );
  expect(await acknowledgeArchive(ada, whole(rest.signed))).toBe('acknowledged');
  expect(await acknowledgeArchive(cy, whole(rest.signed))).toBe('begins-later');
});

test('what is over by the policy is exported as over', async () => {
  await twoDays(3);
  await twoDays(5);
  const { lines } = await exportedAsShown('g', cy);
  expect(lines.filter(({ unreadable }) => unreadable === 'expired-by-policy').length).toBeGreaterThan(3);
  expect(lines.at(-1)?.unreadable).toBeUndefined();
});

test('where the log begins later, the archive begins there, with the statement before', async () => {
  await twoDays(7);
  await twoDays(9);
  expect(await relay.forget()).toBe(true);
  dee = await admit('dee');
  await says(dee, 'good morning', ada);
  const { signed } = await exportedAsShown('h', dee);
  const { before } = signed.manifest.groups[0] ?? {};
  expect(before?.size).toBeGreaterThan(5);
  // The same log as that of who was there from its beginning.
  expect(await acknowledgeArchive(ada, whole(signed))).toBe('acknowledged');
  expect(await acknowledgeArchive(dee, whole(signed))).toBe('acknowledged');
});

test('what only the archive key opens comes with it, while there is a connection', async () => {
  await ada.setPolicy((policy) => ({ ...policy, archiveKey: archiveKey.publicKey }));
  await says(ada, 'with a key', dee);
  await exporting('j', ada, { recipients: [] });
  const [box, ...others] = await boxesIn(pathOf(folder, 'j'));
  expect(others).toEqual([]);
  expect(box).toMatchObject({ epoch: ada.epoch });
  isThere = false;
  ada.pause();
  await exporting('k', ada, { recipients: [] });
  expect(await boxesIn(pathOf(folder, 'k'))).toEqual([]);
});
