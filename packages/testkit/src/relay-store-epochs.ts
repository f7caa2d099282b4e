import assert from 'node:assert/strict';
import { deviceId } from '@keytide/crypto-core';
import type { StoreCheck } from './relay-store-check.ts';
import {
  announcement,
  item,
  NOW_MS,
  outcomes,
  placeOf,
  startedPlace,
  wholeLog,
} from './relay-store-fixtures.ts';

/** Epoch statements and their boxes. */
export const epochChecks: readonly StoreCheck[] = [
  {
    name: 'stores a statement with its boxes',
    async check({ store }) {
      const place = placeOf('statement');
      const { org, group } = place;
      const first = announcement(place, 1);
      assert.deepEqual(await store.readEntries(org, group, 0), { entries: [], headSeq: 0, epoch: 0 });
      assert.equal(await store.readNewestStatement(org, group), null);
      assert.deepEqual(await store.announceEpoch(first, NOW_MS), { seq: 1, repeated: false });
      assert.deepEqual(await store.readEntries(org, group, 0), {
        entries: [{ seq: 1, kind: 'statement', bytes: first.statement }],
        headSeq: 1,
        epoch: 1,
      });
      assert.deepEqual(await store.readNewestStatement(org, group), first.statement);
      for (const { device, box } of first.boxes) {
        assert.deepEqual(await store.readBox({ org, group, epoch: 1, device }), box);
        assert.equal(await store.readBox({ org, group, epoch: 2, device }), null);
      }
      const device = deviceId(place.random(32));
      assert.equal(await store.readBox({ org, group, epoch: 1, device }), null);
    },
  },
  {
    name: 'takes 10,000 boxes at once',
    async check({ store }) {
      const place = placeOf('boxes');
      const boxes = Array.from({ length: 10_000 }, () => ({
        device: deviceId(place.random(32)),
        box: place.random(64),
      }));
      await store.announceEpoch({ ...announcement(place, 1), boxes }, NOW_MS);
      for (const index of [0, 4_999, 9_999]) {
        const { device, box } = boxes[index] as (typeof boxes)[number];
        assert.deepEqual(await store.readBox({ ...place, epoch: 1, device }), box);
      }
    },
  },
  {
    name: 'takes epochs in order, each once',
    async check({ store }) {
      const place = placeOf('order');
      assert.deepEqual(await store.announceEpoch(announcement(place, 2), NOW_MS), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 1), NOW_MS), {
        seq: 1,
        repeated: false,
      });
      assert.deepEqual(await store.announceEpoch(announcement(place, 1), NOW_MS), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 3), NOW_MS), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 2), NOW_MS), {
        seq: 2,
        repeated: false,
      });
      assert.equal((await wholeLog(store, place)).length, 2);
    },
  },
  {
    name: 'lets one of many win an epoch, with its boxes and no others',
    async check({ store }) {
      const place = await startedPlace(store, 'epoch race');
      const rivals = Array.from({ length: 8 }, () => announcement(place, 2));
      const verdicts = await Promise.all(rivals.map((rival) => store.announceEpoch(rival, NOW_MS)));
      assert.deepEqual(outcomes(verdicts).toSorted(), [2, ...Array<string>(7).fill('epoch-taken')]);
      for (const [i, { boxes }] of rivals.entries()) {
        for (const { device, box } of boxes) {
          const won = !('refused' in (verdicts[i] as object));
          assert.deepEqual(await store.readBox({ ...place, epoch: 2, device }), won ? box : null);
        }
      }
    },
  },
  {
    name: 'answers a repeated announcement with its first seq',
    async check({ store }) {
      const place = placeOf('repeat');
      const first = announcement(place, 1);
      await store.announceEpoch(first, NOW_MS);
      await store.appendEnvelopes([item(place)], NOW_MS);
      await store.announceEpoch(announcement(place, 2), NOW_MS);
      assert.deepEqual(await store.announceEpoch(first, NOW_MS), { seq: 1, repeated: true });
      const other = { ...announcement(place, 3), messageId: first.messageId };
      assert.deepEqual(await store.announceEpoch(other, NOW_MS), { refused: 'message-id-reused' });
    },
  },
];
