import { encodeCbor, orgId, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  keyRing,
  localKeyWrapper,
  rewrapKeys,
  type KeyWrapper,
  type RelayStore,
  type RewrapProgress,
} from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createAtRest } from '../../src/at-rest.ts';
import { createDayKeys } from '../../src/day-keys.ts';
import { createOrgData, type OrgData } from '../../src/org-data.ts';
import type { SqlDatabase } from '../../src/sql/database.ts';
import { migrate, readMigrations } from '../../src/sql/migrate.ts';
import { openDatabase } from '../../src/sql/open.ts';
import { sqlRelayStore } from '../../src/sql/store.ts';

const local = (key = random(32)): KeyWrapper => localKeyWrapper(primitives, random, key);

let database: SqlDatabase;
let store: RelayStore;
beforeAll(async () => {
  database = await openDatabase(memoryDatabase());
  await migrate(database, primitives, await readMigrations(), 0);
  store = sqlRelayStore(database);
});
afterEach(async () => {
  for (const table of ['data_keys', 'day_keys']) await database.query(`delete from ${table}`);
});
afterAll(() => store.close());

function dataUnder(wrapper: KeyWrapper): OrgData {
  return createOrgData(store, createAtRest({ store, wrapper, primitives, random }), 100);
}
const at = (org: OrgId, id = 'a') => ({ org, writers: 'members', collection: 'shifts', id }) as const;
const body = (text: string): Uint8Array => encodeCbor({ text });

/** Organisations with a document each, under this wrapper. */
async function settled(count: number, wrapper: KeyWrapper): Promise<OrgId[]> {
  const orgs = Array.from({ length: count }, () => orgId(random(32)));
  const data = dataUnder(wrapper);
  for (const org of orgs) await data.put(at(org), body(org));
  return orgs;
}
async function expectAllOpen(orgs: readonly OrgId[], wrapper: KeyWrapper): Promise<void> {
  const data = dataUnder(wrapper);
  for (const org of orgs)
    expect((await data.list(at(org), 0)).documents).toMatchObject([{ id: 'a', body: body(org) }]);
}

test('moves every key, in pages, and tells how far it is; then the old one may go', async () => {
  const [old, older, fresh] = [local(), local(), local()];
  const orgs = [...(await settled(130, old)), ...(await settled(25, older))];
  const steps: RewrapProgress[] = [];
  const wrapper = keyRing(fresh, old, older);
  const result = await rewrapKeys({ store, wrapper, progress: (state) => steps.push(state) });
  expect(result).toEqual({ moved: 155, left: 0, damaged: [] });
  expect(steps.map(({ moved, left }) => moved + left)).toEqual(steps.map(() => 155));
  expect(steps.map(({ moved }) => moved)).toEqual([0, 100, 155, 155]);
  expect(await store.wrappingKeys()).toEqual([fresh.keyName]);
  await expectAllOpen(orgs, fresh);
  expect(await rewrapKeys({ store, wrapper })).toEqual({ moved: 0, left: 0, damaged: [] });
});

test('goes on where it was stopped, or where a service failed', async () => {
  const [old, fresh] = [local(), local()];
  const orgs = await settled(120, old);
  const stop = new AbortController();
  let wraps = 0;
  const counting: KeyWrapper = {
    ...fresh,
    async wrap(dataKey, context) {
      wraps += 1;
      if (wraps === 30) stop.abort();
      if (wraps === 60) throw Object.assign(new Error('no'), { code: 'key-service-failed' });
      return fresh.wrap(dataKey, context);
    },
  };
  const wrapper = keyRing(counting, old);
  const first = await rewrapKeys({ store, wrapper, signal: stop.signal });
  expect(first.left).toBe(120 - first.moved);
  expect(first.moved).toBeGreaterThanOrEqual(30);
  expect(first.moved).toBeLessThan(40);
  await expectAllOpen(orgs, wrapper);
  await expect(rewrapKeys({ store, wrapper })).rejects.toMatchObject({ code: 'key-service-failed' });
  await expectAllOpen(orgs, wrapper);
  const last = await rewrapKeys({ store, wrapper });
  expect(last.left).toBe(0);
  expect(last.moved).toBeLessThan(120 - first.moved);
  await expectAllOpen(orgs, fresh);
});

test('while relays read and write, and one of them still wraps with the old key', async () => {
  const [old, fresh] = [local(), local()];
  const orgs = await settled(40, old);
  const wrapper = keyRing(fresh, old);
  const [behind, ahead] = [dataUnder(keyRing(old, fresh)), dataUnder(wrapper)];
  const busy = (async () => {
    for (const [i, org] of orgs.entries()) {
      await ahead.put(at(org, 'b'), body('ahead'));
      const late = orgId(random(32));
      await (i % 2 === 0 ? behind : ahead).put(at(late), body(late));
      orgs.push(late);
      if (i === 39) return;
    }
  })();
  const [one, two] = await Promise.all([
    rewrapKeys({ store, wrapper }),
    rewrapKeys({ store, wrapper }),
    busy,
  ]);
  const rest = await rewrapKeys({ store, wrapper });
  expect(rest.left).toBe(0);
  expect(one.moved + two.moved + rest.moved).toBe(60);
  const data = dataUnder(fresh);
  for (const org of orgs) {
    const { documents } = await data.list(at(org), 0);
    expect(documents.find(({ id }) => id === 'a')?.body).toEqual(body(org));
  }
});

test('replaces nothing by what does not come back', async () => {
  const old = local();
  const [org] = (await settled(1, old)) as [OrgId];
  const before = await store.readDataKeys(org);
  const fresh = local();
  const forgetful: KeyWrapper = { ...fresh, unwrap: async () => random(32) };
  const lossy: KeyWrapper = { ...fresh, wrap: (dataKey) => fresh.wrap(dataKey, random(3)) };
  await expect(rewrapKeys({ store, wrapper: keyRing(forgetful, old) })).rejects.toMatchObject({
    code: 'key-service-failed',
  });
  await expect(rewrapKeys({ store, wrapper: keyRing(lossy, old) })).rejects.toMatchObject({
    code: 'decryption-failed',
  });
  expect(await store.readDataKeys(org)).toEqual(before);
});

test('a key that does not open is named, left as it is, and stops nothing', async () => {
  const [old, fresh] = [local(), local()];
  const orgs = await settled(5, old);
  const [bad, ...good] = orgs as [OrgId, ...OrgId[]];
  const [stored = expect.fail()] = await store.readDataKeys(bad);
  const altered = stored.wrapped.map((byte, i) => (i === 20 ? byte ^ 1 : byte));
  await store.wrappedDataKeys.replace({ org: bad, ...stored }, { ...stored, wrapped: altered });
  const result = await rewrapKeys({ store, wrapper: keyRing(fresh, old) });
  expect(result).toEqual({ moved: 4, left: 1, damaged: [{ org: bad, number: 1 }] });
  expect((await store.readDataKeys(bad))[0]?.wrapped).toEqual(altered);
  await expectAllOpen(good, fresh);
});

test('without a former key nothing is moved from it', async () => {
  await settled(1, local());
  await expect(rewrapKeys({ store, wrapper: local() })).rejects.toMatchObject({ code: 'data-key-missing' });
});

test('moves the keys of days as well', async () => {
  const [old, fresh] = [local(), local()];
  const [org] = await settled(1, old);
  const days = (wrapper: KeyWrapper) => createDayKeys({ store, wrapper, random });
  const sealing = await days(old).sealing(org as OrgId, 21_900);
  const wrapper = keyRing(fresh, old);
  expect(await rewrapKeys({ store, wrapper })).toEqual({ moved: 2, left: 0, damaged: [] });
  expect(await store.wrappingKeys()).toEqual([fresh.keyName]);
  expect((await days(fresh).opening(org as OrgId, 21_900))?.equals(sealing)).toBe(true);
});
