import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asciiBytes, deviceId, encodeCbor, idBytes, orgId, toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { openStore, startRelay, type Relay, type RelayStore } from '@keytide/server-relay';
import { folderDatabase, memoryDatabase, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAtRest } from '../src/at-rest.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { createOrgData, type OrgData } from '../src/org-data.ts';
import { call, settle, tokenOf } from './relay-under-test.ts';

const damaged = { code: 'data-damaged' };

describe('what is stored', () => {
  let store: RelayStore;
  beforeAll(async () => {
    store = (await openStore(memoryDatabase(), primitives, 0)).store;
  });
  afterAll(() => store.close());
  const key = random(32);

  /** Data over a store that may answer otherwise than the database does. */
  function dataOver(changes: Partial<RelayStore> = {}, wrappingKey = key): OrgData {
    const over = { ...store, ...changes };
    const wrapper = localKeyWrapper(primitives, random, wrappingKey);
    return createOrgData(over, createAtRest({ store: over, wrapper, primitives, random }), 100);
  }
  const place = () => ({ org: orgId(random(32)), writers: 'members', collection: 'shifts' }) as const;
  const body = (text: string): Uint8Array => encodeCbor({ text });

  test('opens for another process with the same key, and not with another', async () => {
    const at = { ...place(), id: 'a' };
    await dataOver().put(at, body('one'));
    const { documents } = await dataOver().list(at, 0);
    expect(documents).toEqual([{ id: 'a', version: 1, body: body('one') }]);
    await expect(dataOver({}, random(32)).list(at, 0)).rejects.toMatchObject({ code: 'data-key-missing' });
    const renamed = dataOver({
      readDataKeys: async (org) =>
        (await store.readDataKeys(org)).map((stored) => ({
          ...stored,
          wrapped: stored.wrapped.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
        })),
    });
    await expect(renamed.list(at, 0)).rejects.toMatchObject(damaged);
  });

  test('a data key serves its organisation alone', async () => {
    const [mine, theirs] = [place(), place()];
    await dataOver().put({ ...mine, id: 'a' }, body('one'));
    const swapped = dataOver({
      readDataKeys: (org) => store.readDataKeys(org === theirs.org ? mine.org : org),
    });
    await expect(swapped.list(theirs, 0)).rejects.toMatchObject(damaged);
  });

  test('a document is bound to its id, its collection, its organisation and its version', async () => {
    const at = place();
    const data = dataOver();
    await data.put({ ...at, id: 'a' }, body('one'));
    const [old] = (await store.listDocuments(at.org, await nameOf(at.org), 0)).documents;
    await data.put({ ...at, id: 'a' }, body('two'));
    await data.put({ ...at, id: 'b' }, body('three'));
    async function nameOf(org: typeof at.org): Promise<Uint8Array> {
      const wrapper = localKeyWrapper(primitives, random, key);
      return createAtRest({ store, wrapper, primitives, random }).nameOf(org, ['members', 'shifts']);
    }
    const listing = (change: (documents: readonly (typeof old & {})[]) => readonly object[]): OrgData =>
      dataOver({
        listDocuments: async (...args) => {
          const page = await store.listDocuments(...args);
          return { ...page, documents: change(page.documents) as never };
        },
      });
    expect((await listing((documents) => documents).list(at, 0)).documents).toHaveLength(2);
    const lies = {
      swapped: listing(([a, b]) => [{ ...a, sealed: b?.sealed }]),
      renumbered: listing(([a]) => [{ ...a, version: 3 }]),
      'rolled back under the new version': listing(([a]) => [{ ...a, sealed: old?.sealed }]),
      'under another key number': listing(([a]) => [{ ...a, keyNumber: 2 }]),
      altered: listing(([a]) => [{ ...a, sealed: a?.sealed.map((byte, i) => (i === 30 ? byte ^ 1 : byte)) }]),
      empty: listing(([a]) => [{ ...a, sealed: new Uint8Array() }]),
    };
    for (const [name, lying] of Object.entries(lies))
      await expect(lying.list(at, 0), name).rejects.toMatchObject(damaged);
  });

  test('a system value is read by the relay alone, and bound to its device', async () => {
    const { org } = place();
    const [mine, theirs] = [deviceId(random(32)), deviceId(random(32))];
    const at = { org, collection: 'pushToken' };
    const data = dataOver();
    await data.putSystem({ ...at, device: mine }, body('mine'));
    await data.putSystem({ ...at, device: theirs }, body('theirs'));
    expect(await data.readSystem({ ...at, device: mine })).toEqual(body('mine'));
    const stored = await storedOf(theirs);
    const swapped = dataOver({ readSystemValue: async () => stored });
    await expect(swapped.readSystem({ ...at, device: mine })).rejects.toMatchObject(damaged);
    await data.putSystem({ ...at, device: mine }, null);
    expect(await data.readSystem({ ...at, device: mine })).toBeNull();
    async function storedOf(device: typeof mine) {
      let found: Awaited<ReturnType<RelayStore['readSystemValue']>> = null;
      const spying = dataOver({
        readSystemValue: async (where) => (found = await store.readSystemValue(where)),
      });
      await spying.readSystem({ ...at, device });
      return found;
    }
  });

  test('two writers at once make one data key', async () => {
    const at = place();
    const [one, two] = [dataOver(), dataOver()];
    await Promise.all([one.put({ ...at, id: 'a' }, body('one')), two.put({ ...at, id: 'b' }, body('two'))]);
    expect((await dataOver().list(at, 0)).documents.map(({ id }) => id).toSorted()).toEqual(['a', 'b']);
  });
});

describe('a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keytide-at-rest-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const world = seededWorld({ seed: 'at rest', members: 1 });
  const device = world.members[0].devices[0];
  const start = (): Promise<Relay> =>
    startRelay({ database: folderDatabase(folder), port: 0, clock: world.clock, log: () => {} });

  /** Which of these byte strings are in which file below the folder. */
  async function found(needles: Record<string, Uint8Array>): Promise<string[]> {
    const hits = new Set<string>();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = await readFile(join(entry.parentPath, entry.name));
      for (const [name, needle] of Object.entries(needles))
        if (content.includes(Buffer.from(needle))) hits.add(name);
    }
    return [...hits].toSorted();
  }

  test('holds nothing that says what the data is, unless with its key', async () => {
    const relay = await start();
    await settle(relay, world);
    const token = await tokenOf(relay, world.org, device);
    const body = encodeCbor({ note: 'the-cellar-of-the-school' });
    const write = { token, body: { body: toBase64Url(body) } };
    const put = (path: string) => call(relay, 'PUT', `/organisations/${world.org}/${path}`, write);
    expect((await put('data/members/hidingPlaces/north-bank')).status).toBe(200);
    expect((await put('system/pushToken')).status).toBe(200);
    await relay.close();
    const key = new Uint8Array(await readFile(join(folder, 'data-key')));
    const { keyName } = localKeyWrapper(primitives, random, key);
    const seen = await found({
      body: asciiBytes('cellar-of-the-school'),
      field: body.subarray(1, 6),
      'body as text': asciiBytes(toBase64Url(body).slice(4, 24)),
      id: asciiBytes('north-bank'),
      collection: asciiBytes('hidingPlaces'),
      'system collection': asciiBytes('pushToken'),
      // What the search must find, so that it is known to work.
      'name of the wrapping key': asciiBytes(keyName),
      organisation: idBytes(world.org),
    });
    expect(seen).toEqual(['name of the wrapping key', 'organisation']);
  }, 60_000);

  test('has a key of its own for its owner alone; without it, or with another, the relay does not start', async () => {
    const path = join(folder, 'data-key');
    const { mode, size } = await stat(path);
    expect({ mode: mode & 0o777, size }).toEqual({ mode: 0o600, size: 32 });
    await rename(path, `${path}.away`);
    await expect(start()).rejects.toMatchObject({ code: 'data-key-missing' });
    await writeFile(path, random(32), { mode: 0o600 });
    await expect(start()).rejects.toMatchObject({ code: 'data-key-missing' });
    await rename(`${path}.away`, path);
    await chmod(path, 0o604);
    await expect(start()).rejects.toMatchObject({ code: 'data-key-unusable' });
    await chmod(path, 0o600);
    const relay = await start();
    const token = await tokenOf(relay, world.org, device);
    const read = `/organisations/${world.org}/data/members/hidingPlaces?after=0`;
    const { body } = await call(relay, 'GET', read, { token });
    expect(body).toMatchObject({ documents: [{ id: 'north-bank', version: 1 }] });
    await relay.close();
  }, 60_000);
});
