import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArchiveError, exportArchive, readSignedManifest } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveKey, optionsFor, said, someDays } from '../../../archive/test/exporting.ts';
import { worldSource, type WorldSource } from '../../../archive/test/world-source.ts';
import type { AgentEvent } from '../../src/agent/agent-event.ts';
import type { ExportingDevice } from '../../src/agent/exporting-device.ts';
import type { Round } from '../../src/agent/round.ts';
import { runRound } from '../../src/agent/run-round.ts';
import { healthOf } from '../../src/agent/health.ts';
import { begin, finish, NEW_SERIES, startOver } from '../../src/agent/series.ts';
import { settleAll } from '../../src/agent/settle-archive.ts';
import { newState, type AgentState } from '../../src/agent/state.ts';

const NOW_MS = Date.UTC(2030, 5, 1);
const NAME = '20300601T000000Z-full';

let source: WorldSource;
let folder: string;
let one: string;
let two: string;
let events: AgentEvent[];
let toldThrough: number | null;

beforeEach(async () => {
  source = await someDays();
  folder = await mkdtemp(join(tmpdir(), 'keytide-settle-'));
  [one, two] = [join(folder, 'one'), join(folder, 'two')];
  for (const place of [one, two]) await mkdir(place);
  [events, toldThrough] = [[], null];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const make = (path: string) => exportArchive(optionsFor(source, folderDestination(path)));

/** Of an archive that is whole at the first place; with `changed` for what else is so. */
function roundWith(changed: Partial<Round> = {}): Round {
  let state: AgentState = { ...newState(NOW_MS), series: finish(begin(NEW_SERIES, NOW_MS, 0)) };
  return {
    ...{ destinations: [one, two], needed: 2, acknowledge: 'all', fullAfter: 0, isDue: false, nowMs: NOW_MS },
    recipients: [archiveKey.publicKey],
    set: null,
    device: {
      ...{ org: source.org, device: source.world.members[0].devices[0].id },
      throughSeq: async () => source.log.length,
      currentSet: (given) => given && given.wire,
      export: (options) => exportArchive({ ...optionsFor(source, options.destination), ...options }),
      acknowledge: async ({ signed: { manifest } }) => {
        toldThrough = manifest.groups[0]?.throughSeq ?? 0;
        return 'acknowledged';
      },
      due: async () => ({ isWaived: false, deleted: [], days: [] }),
    },
    memory: {
      get state() {
        return state;
      },
      keep: async (kept) => {
        state = { ...state, ...kept };
      },
    },
    onArchived: async () => {},
    signal: new AbortController().signal,
    tell: (event) => void events.push(event),
    codeOf: (error) => String((error as { code?: unknown }).code ?? error),
    ...changed,
  };
}

/** Destinations that do something, one after the other, when the one with this index is asked for. */
function turning(...turns: ['0' | '1', () => void][]): Round['destinations'] {
  return new Proxy<[string, string]>([one, two], {
    get(target, key, receiver) {
      if (key === turns[0]?.[0]) turns.shift()?.[1]();
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
}

/** At the first place there is one archive, beside it an older one, which takes its place and gives it back. */
async function twoAtOnce() {
  const [shown, newer, older] = [join(one, NAME), join(folder, 'newer'), join(folder, 'older')];
  await make(older);
  await source.day([said(0, NOW_MS, { text: 'newer' })]);
  await make(shown);
  return {
    hide: () => {
      renameSync(shown, newer);
      renameSync(older, shown);
    },
    give: () => {
      renameSync(shown, older);
      renameSync(newer, shown);
    },
  };
}

test('the relay is told only by what was verified: of a place that shows another archive then, nothing', async () => {
  const { hide } = await twoAtOnce();
  const left = await settleAll(roundWith({ destinations: turning(['1', hide]) }));
  expect(left).toEqual({ code: 'unsound', isPutOff: true });
  expect(toldThrough).toBeNull();
});

test('the next archive goes on from what was verified, whatever the place shows at another reading', async () => {
  const path = join(one, NAME);
  await make(path);
  const { bytes: trueBytes } = await readSignedManifest(folderDestination(path));
  await source.day([said(0, NOW_MS, { text: 'later' })]);
  // Another archive under that name, whose signature is none.
  const forged = join(folder, 'forged');
  await make(forged);
  const file = join(forged, 'signed-manifest');
  const signed = await readFile(file);
  signed[signed.length - 1] = (signed.at(-1) as number) ^ 1;
  await writeFile(file, signed);
  let isForged = false;
  const flip = (): void => {
    renameSync(path, `${path}.aside`);
    renameSync(forged, path);
    renameSync(`${path}.aside`, forged);
    isForged = !isForged;
  };
  const outcomes: string[] = [];
  for (const isFirst of [true, false]) {
    if (isFirst !== isForged) flip();
    const series = { ...NEW_SERIES, last: NAME, told: NAME };
    // At each reading the other one.
    const destinations = new Proxy<[string, string]>([one, two], {
      get(target, key, receiver) {
        if (key === '0') flip();
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    const round = roundWith({ destinations, isDue: true, nowMs: NOW_MS + (isFirst ? 1000 : 2000) });
    await round.memory.keep({ series });
    const exporting: ExportingDevice['export'] = async ({ since }) => {
      expect(since?.bytes).toEqual(trueBytes);
      throw new ArchiveError('destination-full', 'enough was seen');
    };
    const outcome = await runRound({ ...round, device: { ...round.device, export: exporting } });
    outcomes.push(outcome.code ?? 'done');
  }
  expect(outcomes.toSorted()).toEqual(['destination-full', 'previous-unsound']);
});

test('only the same archive counts at another place, however sound what was copied there is', async () => {
  const { hide, give } = await twoAtOnce();
  // What is copied is the older one; the newer one is there again when the first place is verified.
  const turns = turning(['1', hide], ['0', () => {}], ['0', give]);
  const left = await settleAll(roundWith({ destinations: turns }));
  expect(left.code).toBe('copy-unsound');
  expect(toldThrough).toBeNull();
  expect(events).toMatchObject([
    { destination: 1, verdict: 'sound' },
    { destination: 2, verdict: 'unsound', findings: expect.arrayContaining(['other-archive']) as unknown },
  ]);
});

test('what it lacks is asked at each place that counts', async () => {
  await make(join(one, NAME));
  const path = await summaryWith(join(one, NAME), 'ask-an-admin');
  const text = await readFile(path, 'utf8');
  await writeFile(`${path}.true`, text);
  await writeFile(path, text.replace('ask-an-admin', 'ask-my-friend'));
  const round = roundWith({
    acknowledge: 'readable',
    destinations: turning(['1', () => renameSync(`${path}.true`, path)]),
  });
  expect((await settleAll(round)).code).toBe('keys-missing');
  expect(toldThrough).toBeNull();
});

test('a destination that cannot be read does not count, and holds up no other', async () => {
  await make(join(one, NAME));
  await cp(join(one, NAME), join(two, NAME), { recursive: true });
  const three = join(folder, 'three');
  await mkdir(three);
  let reads = 0;
  const destinations = new Proxy<[string, string, string]>([one, two, three], {
    get(target, key, receiver) {
      // Written to, and then not to be had.
      if (key === '1' && (reads += 1) === 3) renameSync(two, `${two}.away`);
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
  const left = await settleAll(roundWith({ destinations, needed: 2 }));
  expect(left).toEqual({ code: 'not-there', isPutOff: false });
  expect(toldThrough).toBe(source.log.length);
});

test('the folder of a destination that is not there is not made, and does not count', async () => {
  await make(join(one, NAME));
  await rm(two, { recursive: true });
  expect((await settleAll(roundWith())).code).toBe('destination-gone');
  await rename(one, `${one}.away`);
  const outcome = await runRound(roundWith({ isDue: true }));
  expect(outcome.code).toBe('destination-gone');
  expect(await readdir(folder)).toEqual(['one.away']);
  expect(toldThrough).toBeNull();
});

test.skipIf(process.platform === 'win32')('a place under two names counts once', async () => {
  await make(join(one, NAME));
  await rm(two, { recursive: true });
  await symlink(one, two);
  expect((await settleAll(roundWith())).code).toBe('same-destination');
  expect(toldThrough).toBeNull();
});

test('of a log that is damaged no parts of archives pile up, and the next is begun in its time', async () => {
  const begun = begin(NEW_SERIES, NOW_MS, 0);
  let isArchived = false;
  const round = roundWith({ onArchived: async (isThere) => void (isArchived = isThere) });
  await round.memory.keep({ series: begun });
  const outcome = await runRound({
    ...round,
    device: {
      ...round.device,
      export: (options) =>
        exportArchive({
          ...optionsFor(source, options.destination),
          ...options,
          source: {
            ...source,
            async *entries(...asked) {
              for await (const entry of source.entries(...asked)) if (entry.seq !== 3) yield entry;
            },
          },
        }),
    },
  });
  expect(outcome).toMatchObject({ code: 'source-damaged', isPutOff: true });
  expect([isArchived, round.memory.state.series.current]).toEqual([true, null]);
  expect((await readdir(one, { recursive: true, withFileTypes: true })).filter((at) => at.isFile())).toEqual(
    [],
  );
});

test('of a log that is never sound nothing is told, deleted, or written again and again; a full one ends that', async () => {
  // Nobody but the exporter says otherwise than the liar.
  source = worldSource('a liar', 2);
  const entries = new Map<string, [from: number, through: number]>();
  let nowMs = NOW_MS;
  const round = { ...roundWith({ isDue: true, destinations: [one], needed: 1 }) };
  await round.memory.keep({ series: NEW_SERIES });
  const live = async (liar?: number) => {
    await source.day([said(0, nowMs, { text: 'a day' }), said(1, nowMs, { text: 'ok' })], liar);
    nowMs += 86_400_000;
    const outcome = await runRound({ ...round, nowMs });
    for (const name of await readdir(one)) {
      const { before, throughSeq } = (await readSignedManifest(folderDestination(join(one, name)))).manifest
        .groups[0] as { before: { size: number }; throughSeq: number };
      entries.set(name, [before.size, throughSeq]);
    }
    return outcome;
  };
  expect(await live()).toMatchObject({ code: null });
  const told = toldThrough;
  expect(await live(1)).toMatchObject({ code: 'unsound', isPutOff: true });
  for (let day = 0; day < 6; day += 1)
    expect(await live()).toMatchObject({ code: 'unsound', isPutOff: true });
  expect(toldThrough).toBe(told);
  // One a day: none went, and each entry is in one of them.
  expect(await readdir(one)).toHaveLength(8);
  const lengths = [...entries.values()].map(([from, through]) => through - from);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(3 * source.log.length);
  expect(Math.max(...[...entries.values()].map(([, through]) => through))).toBe(source.log.length);
  const { series } = round.memory.state;
  expect(series).toMatchObject({ failed: 3, pending: [] });
  expect(healthOf(round.memory.state, 1, nowMs)).toMatchObject({ unsound: series.unsound });
  // The liar's word is outweighed, or the disk repaired: here, another log.
  source = await someDays();
  await round.memory.keep({ series: startOver(series) });
  round.device = roundWith().device;
  expect(await live()).toMatchObject({ code: null });
  expect(round.memory.state.series).toMatchObject({ unsound: null, failed: 0 });
});

test('nothing goes on from what is not even signed any more: that period is made up for later', async () => {
  await make(join(one, NAME));
  const round = roundWith({ isDue: true, nowMs: NOW_MS + 86_400_000 });
  const unsound = { told: null, last: NAME, unsound: NAME, failed: 3, behind: 0, pending: [] };
  await round.memory.keep({ series: { ...NEW_SERIES, ...unsound } });
  await writeFile(join(one, NAME, 'signed-manifest'), 'rotten');
  expect(await runRound(round)).toMatchObject({ code: 'unsound', isPutOff: true });
  expect(round.memory.state.series).toMatchObject({ current: null, behind: 1 });
  expect(await readdir(one)).toEqual([NAME]);
});

test('an archive that another device has made is not this one, however sound it is', async () => {
  await make(join(one, NAME));
  const round = roundWith();
  const device = source.world.members[1]?.devices[0].id ?? expect.fail('nobody');
  const left = await settleAll({ ...round, device: { ...round.device, device } });
  expect([left.code, toldThrough]).toEqual(['unsound', null]);
});

test('a copy takes the place of no other archive', async () => {
  await make(join(one, NAME));
  await make(join(two, NAME));
  const there = await readFile(join(two, NAME, 'signed-manifest'));
  expect((await settleAll(roundWith())).code).toBe('other-export');
  expect((await readFile(join(two, NAME, 'signed-manifest'))).equals(there)).toBe(true);
  expect(toldThrough).toBeNull();
  // One that rotted is made good.
  await rm(join(two, NAME), { recursive: true });
  await cp(join(one, NAME), join(two, NAME), { recursive: true });
  await writeFile(join(two, NAME, 'signed-manifest'), 'rotten');
  expect((await settleAll(roundWith())).code).toBeNull();
});

test('the set of shares goes along; one that cannot be had stops no archive, and is told until one has it', async () => {
  const set = join(folder, 'archive-key.set');
  const given: unknown[] = [];
  const round = roundWith({ isDue: true, set, destinations: [one], needed: 1 });
  await round.memory.keep({ series: NEW_SERIES });
  const next = async (nowMs: number) => {
    await source.day([said(0, nowMs, { text: 'more' })]);
    const { device } = round;
    const exporting: ExportingDevice['export'] = (options) => {
      given.push(options.archiveKeySet);
      return device.export(options);
    };
    return await runRound({ ...round, nowMs, device: { ...device, export: exporting } });
  };
  expect(await next(NOW_MS)).toMatchObject({ code: 'file-unreadable', isPutOff: true });
  expect(toldThrough).toBe(source.log.length);
  await writeFile(set, 'a set');
  expect(await next(NOW_MS + 1000)).toMatchObject({ code: null });
  expect(given).toEqual([null, new Uint8Array(Buffer.from('a set'))]);
});

async function summaryWith(archive: string, text: string): Promise<string> {
  for (const name of await readdir(archive, { recursive: true })) {
    if (!/segments.*\.json$/.test(name)) continue;
    const path = join(archive, name);
    if ((await readFile(path, 'utf8')).includes(text)) return path;
  }
  throw new Error('no such summary');
}
