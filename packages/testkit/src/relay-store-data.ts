import assert from 'node:assert/strict';
import { deviceId, orgId, type OrgId, type Random } from '@keytide/crypto-core';
import type { DocumentPut, RelayStore } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, placeOf, startedPlace } from './relay-store-fixtures.ts';

const MOST = 1000;

function put(
  { org, random }: { org: OrgId; random: Random },
  changes: Partial<DocumentPut> = {},
): DocumentPut {
  const names = { collection: random(32), document: random(32) };
  return { org, ...names, version: 1, keyNumber: 1, sealed: random(50), most: MOST, ...changes };
}

/** The seqs of a collection, page by page. */
async function seqsOf(store: RelayStore, { org, collection }: DocumentPut): Promise<number[]> {
  const seqs: number[] = [];
  for (;;) {
    const page = await store.listDocuments(org, collection, seqs.at(-1) ?? 0);
    seqs.push(...page.documents.map(({ seq }) => seq));
    if (!page.more) return seqs;
    assert.ok(page.documents.length > 0);
  }
}

/** Documents, data keys and system values. */
export const dataChecks: readonly StoreCheck[] = [
  {
    name: 'lists data keys that another key wraps, in order, and replaces exactly the one that was read',
    async check({ store }) {
      const { random } = placeOf('wrapped keys');
      const orgs = Array.from({ length: 3 }, () => orgId(random(32))).toSorted();
      const [first, second, third] = orgs as [OrgId, OrgId, OrgId];
      const [mine, former] = [`mine ${first}`, `former ${first}`];
      for (const org of orgs)
        for (const number of [2, 1])
          await store.addDataKey(org, { number, wrappingKey: former, wrapped: random(60) });
      await store.addDataKey(second, { number: 3, wrappingKey: mine, wrapped: random(60) });
      const keys = store.wrappedDataKeys;
      const before = await keys.countOthers(mine);
      const isOurs = ({ org }: { org: OrgId }): boolean => orgs.includes(org);
      const listed = (await keys.listOthers(mine, null, 10_000)).filter(isOurs);
      assert.deepEqual(
        listed.map(({ org, number }) => [org, number]),
        orgs.flatMap((org) => [
          [org, 1],
          [org, 2],
        ]),
      );
      const page = await keys.listOthers(mine, { org: second, number: 1 }, 1);
      assert.deepEqual(page, [listed[3]]);
      const [one] = listed;
      assert.ok(one !== undefined);
      const next = { wrappingKey: mine, wrapped: random(70) };
      assert.equal(await keys.replace({ ...one, wrapped: random(60) }, next), false);
      assert.equal(await keys.replace({ ...one, wrappingKey: mine }, next), false);
      assert.equal(await keys.replace({ ...one, org: third, number: 9 }, next), false);
      assert.equal(await keys.countOthers(mine), before);
      assert.equal(await keys.replace(one, next), true);
      assert.equal(await keys.replace(one, next), false);
      assert.equal(await keys.countOthers(mine), before - 1);
      const [stored] = await store.readDataKeys(first);
      assert.deepEqual(stored, { number: 1, ...next });
    },
  },
  {
    name: 'keeps the newest version of a document, also over a restart',
    async check({ store, reopen }) {
      const place = placeOf('documents');
      const first = put(place);
      const other = put(place, { collection: first.collection });
      assert.equal(await store.readDocument(place.org, first.document), null);
      assert.equal(await store.putDocument(first), 'stored');
      assert.equal(await store.putDocument(other), 'stored');
      const second = { ...first, version: 2, keyNumber: 7, sealed: place.random(60) };
      assert.equal(await store.putDocument(second), 'stored');
      await store.close();
      const again = await reopen();
      const stored = await again.readDocument(place.org, first.document);
      assert.ok(stored !== null);
      const { seq, ...rest } = stored;
      assert.deepEqual(rest, {
        document: first.document,
        version: 2,
        keyNumber: 7,
        sealed: second.sealed,
      });
      const page = await again.listDocuments(place.org, first.collection, 0);
      assert.deepEqual(
        page.documents.map(({ document }) => document),
        [other.document, first.document],
      );
      assert.equal(page.more, false);
      assert.deepEqual(page.documents[1], stored);
      assert.deepEqual((await again.listDocuments(place.org, first.collection, seq)).documents, []);
      const elsewhere = placeOf('documents elsewhere').org;
      assert.deepEqual((await again.listDocuments(elsewhere, first.collection, 0)).documents, []);
      assert.deepEqual((await again.listDocuments(place.org, place.random(32), 0)).documents, []);
      assert.equal(await again.readDocument(elsewhere, first.document), null);
      return again;
    },
  },
  {
    name: 'takes a version only after the stored one, from one of several writers',
    async check({ store }) {
      const place = placeOf('document versions');
      const first = put(place);
      for (const version of [0, 2, 3])
        assert.equal(await store.putDocument({ ...first, version }), 'version-conflict');
      const outcomes = await Promise.all([1, 2, 3, 4].map(() => store.putDocument(first)));
      assert.deepEqual(outcomes.toSorted(), ['stored', ...Array(3).fill('version-conflict')]);
      assert.equal(await store.putDocument({ ...first, version: 3 }), 'version-conflict');
      assert.equal(await store.putDocument({ ...first, version: 2 }), 'stored');
      assert.equal(await store.putDocument({ ...first, version: 2 }), 'version-conflict');
      assert.equal((await store.readDocument(place.org, first.document))?.version, 2);
    },
  },
  {
    name: 'keeps no more documents than it is told, and still takes new versions of those',
    async check({ store }) {
      const place = placeOf('document quota');
      const documents = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const one = put(place, { most: 3 });
          return { one, outcome: await store.putDocument(one) };
        }),
      );
      const kept = documents.filter(({ outcome }) => outcome === 'stored');
      assert.equal(kept.length, 3);
      assert.ok(documents.every(({ outcome }) => outcome === 'stored' || outcome === 'quota-exceeded'));
      for (const { one } of kept) assert.equal(await store.putDocument({ ...one, version: 2 }), 'stored');
      assert.equal(await store.putDocument(put(placeOf('another quota'), { most: 1 })), 'stored');
    },
  },
  {
    name: 'cuts documents into pages of 100 and about 1 MiB, and a reader misses none',
    async check({ store }) {
      const place = placeOf('document pages');
      const many = put(place);
      await Promise.all(
        Array.from({ length: 230 }, () => store.putDocument(put(place, { collection: many.collection }))),
      );
      assert.equal((await store.listDocuments(place.org, many.collection, 0)).documents.length, 100);
      const seqs = await seqsOf(store, many);
      assert.equal(new Set(seqs).size, 230);
      const large = put(place);
      for (let i = 0; i < 20; i += 1)
        await store.putDocument(put(place, { collection: large.collection, sealed: place.random(65_000) }));
      const first = await store.listDocuments(place.org, large.collection, 0);
      assert.ok(first.more && first.documents.length === 17);
      assert.equal((await seqsOf(store, large)).length, 20);
    },
  },
  {
    name: 'keeps the data key that came first, and tells by which keys they are wrapped',
    async check({ store, reopen }) {
      const place = placeOf('data keys');
      assert.deepEqual(await store.readDataKeys(place.org), []);
      const keys = [1, 2].map((number) => ({
        number,
        wrappingKey: `wrapping key ${number} ${place.org}`,
        wrapped: place.random(60),
      }));
      for (const key of keys.toReversed()) await store.addDataKey(place.org, key);
      await store.addDataKey(place.org, { ...(keys[0] as (typeof keys)[0]), wrapped: place.random(60) });
      await store.close();
      const again = await reopen();
      assert.deepEqual(await again.readDataKeys(place.org), keys);
      const names = await again.wrappingKeys();
      assert.ok(keys.every(({ wrappingKey }) => names.includes(wrappingKey)));
      assert.equal(new Set(names).size, names.length);
      return again;
    },
  },
  {
    name: 'keeps one value of a device for a collection, until it is cleared or the device loses its place',
    async check({ store }) {
      const place = await startedPlace(store, 'system values');
      const { org, random } = place;
      const [mine, theirs] = [deviceId(random(32)), deviceId(random(32))];
      const collection = random(32);
      const value = () => ({ keyNumber: 1, sealed: random(40) });
      const [first, second, other, kept] = [value(), value(), value(), value()];
      const at = { org, device: mine, collection };
      await store.putSystemValue(at, first);
      await store.putSystemValue(at, second);
      await store.putSystemValue({ ...at, collection: random(32) }, other);
      await store.putSystemValue({ ...at, device: theirs }, kept);
      assert.deepEqual(await store.readSystemValue(at), second);
      await store.clearSystemValue(at);
      assert.equal(await store.readSystemValue(at), null);
      await store.putSystemValue(at, first);
      const ended = [{ kind: 'device', id: mine } as const];
      await store.appendLogEntry({ ...addition(place, 1, random(99)), ended });
      assert.equal(await store.readSystemValue(at), null);
      assert.deepEqual(await store.readSystemValue({ ...at, device: theirs }), kept);
    },
  },
];
