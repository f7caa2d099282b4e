import assert from 'node:assert/strict';
import type { EnvelopeAppend, Filed } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import {
  announcement,
  item,
  outcomes,
  placeOf,
  startedPlace,
  TODAY,
  wholeLog,
  type Place,
} from './relay-store-fixtures.ts';

/** Envelopes: order, gaps, duplicates and neighbours. Batches and single appends owe the same. */
export const appendChecks: readonly StoreCheck[] = [
  {
    name: 'gives back the bytes it was given, in order',
    async check({ store }) {
      const place = await startedPlace(store, 'bytes');
      const sizes = [0, 1, 1_023, 1_024, 3_000, 100_000, 262_144];
      const many = sizes.map((sizeBytes) => item(place, { envelope: place.random(sizeBytes) }));
      const one = item(place, { envelope: place.random(262_144) });
      assert.deepEqual(outcomes(await store.appendEnvelopes(many)), [2, 3, 4, 5, 6, 7, 8]);
      assert.deepEqual(outcomes(await store.appendEnvelopes([one])), [9]);
      const [, ...stored] = await wholeLog(store, place);
      assert.deepEqual(
        stored,
        [...many, one].map(({ envelope }, i) => ({ seq: i + 2, kind: 'envelope', bytes: envelope })),
      );
      assert.deepEqual(await store.appendEnvelopes([]), []);
    },
  },
  {
    name: 'judges each item by itself',
    async check({ store }) {
      const place = await startedPlace(store, 'neighbours');
      const other = await startedPlace(store, 'neighbour');
      const silent = placeOf('silent');
      const old = item(place);
      const older = item(place);
      await store.appendEnvelopes([old, older]);
      const batch = [
        item(place),
        item(place, { epoch: 2 }),
        old,
        item(silent),
        item(place, { epoch: 0 }),
        item(other),
        item(place, { messageId: older.messageId }),
        item(place),
      ];
      const expected = [4, 'unknown-epoch', 2, 'unknown-epoch', 'unknown-epoch', 2, 'message-id-reused', 5];
      assert.deepEqual(outcomes(await store.appendEnvelopes(batch)), expected);
      assert.deepEqual(
        (await wholeLog(store, place)).map(({ seq }) => seq),
        [1, 2, 3, 4, 5],
      );
    },
  },
  {
    name: 'judges a single item as it judges a batch',
    async check({ store }) {
      const place = await startedPlace(store, 'single');
      const old = item(place);
      const single = async (append: EnvelopeAppend & Filed): Promise<unknown> =>
        (await store.appendEnvelopes([append]))[0];
      assert.deepEqual(await single(old), { seq: 2, repeated: false });
      assert.deepEqual(await single(old), { seq: 2, repeated: true });
      assert.deepEqual(await single(item(place, { messageId: old.messageId })), {
        refused: 'message-id-reused',
      });
      assert.deepEqual(await single(item(place, { epoch: 2 })), { refused: 'unknown-epoch' });
      assert.deepEqual(await single(item(place, { epoch: 0 })), { refused: 'unknown-epoch' });
      assert.deepEqual(await single(item(placeOf('nowhere'))), { refused: 'unknown-epoch' });
      await store.announceEpoch(announcement(place, 2));
      assert.deepEqual(await single(item(place, { epoch: 2 })), { seq: 4, repeated: false });
      assert.deepEqual(await single(item(place)), { seq: 5, repeated: false });
    },
  },
  {
    name: 'keeps organisations apart, whatever ids they share',
    async check({ store }) {
      const mine = await startedPlace(store, 'mine');
      const theirs: Place = { ...(await startedPlace(store, 'theirs')), group: mine.group };
      await store.announceEpoch(announcement(theirs, 1));
      const append = item(mine);
      const same = { ...append, org: theirs.org, envelope: mine.random(50) };
      assert.deepEqual(outcomes(await store.appendEnvelopes([append, same])), [2, 2]);
      assert.deepEqual((await wholeLog(store, mine)).at(-1)?.bytes, append.envelope);
      assert.deepEqual((await wholeLog(store, theirs)).at(-1)?.bytes, same.envelope);
    },
  },
  {
    name: 'numbers without gaps under concurrent batches that cross groups in any order',
    async check({ store }) {
      const places = await Promise.all(['a', 'b', 'c'].map((name) => startedPlace(store, name)));
      const [first] = places as [Place];
      const batches = Array.from({ length: 24 }, (_, i) => {
        const turned = i % 2 === 0 ? places : places.toReversed();
        return Array.from({ length: 1 + ((first.random(1)[0] as number) % 9) }, (_unused, j) =>
          item(turned[j % 3] as Place),
        );
      });
      // Every batch twice: one of the two finds everything already there, or half of it.
      const verdicts = await Promise.all(
        [...batches, ...batches].map((batch) => store.appendEnvelopes(batch)),
      );
      for (const [i, batch] of batches.entries())
        assert.deepEqual(
          outcomes(verdicts[i] ?? []),
          outcomes(verdicts[i + batches.length] ?? []),
          `${batch.length}`,
        );
      for (const place of places) {
        const mine = batches.flat().filter(({ org }) => org === place.org);
        const log = await wholeLog(store, place);
        assert.deepEqual(
          log.map(({ seq }) => seq),
          Array.from({ length: mine.length + 1 }, (_, i) => i + 1),
        );
      }
    },
  },
  {
    name: 'reads a log in pages from any place',
    async check({ store }) {
      const place = await startedPlace(store, 'log pages');
      const big = Array.from({ length: 6 }, () => item(place, { envelope: place.random(200_000) }));
      await store.appendEnvelopes(big);
      const page = await store.readEntries(place.org, place.group, 1);
      assert.deepEqual(
        page.entries.map(({ seq }) => seq),
        [2, 3, 4],
      );
      assert.equal(page.headSeq, 7);
      const small = Array.from({ length: 600 }, () => item(place, { envelope: place.random(10) }));
      await store.appendEnvelopes(small);
      assert.equal((await store.readEntries(place.org, place.group, 7)).entries.length, 500);
      const end = await store.readEntries(place.org, place.group, 607);
      assert.deepEqual(end, { entries: [], day: TODAY, headSeq: 607, epoch: 1 });
      assert.equal((await wholeLog(store, place)).length, 607);
    },
  },
];
