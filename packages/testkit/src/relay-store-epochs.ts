import assert from 'node:assert/strict';
import { deviceId } from '@keytide/crypto-core';
import type { StoreCheck } from './relay-store-check.ts';
import {
  addDayKey,
  announcement,
  item,
  outcomes,
  placeOf,
  startedPlace,
  TODAY,
  wholeLog,
} from './relay-store-fixtures.ts';

/** Epoch statements and their boxes. */
export const epochChecks: readonly StoreCheck[] = [
  {
    name: 'stores a statement with its boxes',
    async check({ store }) {
      const place = placeOf('statement');
      await addDayKey(store, place);
      const { org, group } = place;
      const first = announcement(place, 1);
      assert.deepEqual(await store.readEntries(org, group, 0), {
        entries: [],
        day: null,
        headSeq: 0,
        epoch: 0,
      });
      assert.equal(await store.readNewestStatement(org, group), null);
      assert.deepEqual(await store.announceEpoch(first), { seq: 1, repeated: false });
      assert.deepEqual(await store.readEntries(org, group, 0), {
        entries: [{ seq: 1, kind: 'statement', messageId: first.messageId, bytes: first.statement }],
        day: TODAY,
        headSeq: 1,
        epoch: 1,
      });
      assert.deepEqual(await store.readNewestStatement(org, group), {
        epoch: 1,
        day: TODAY,
        messageId: first.messageId,
        bytes: first.statement,
      });
      for (const { device, box } of first.boxes) {
        assert.deepEqual(await store.readBox({ org, group, epoch: 1, device }), { day: TODAY, bytes: box });
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
      await addDayKey(store, place);
      const boxes = Array.from({ length: 10_000 }, () => ({
        device: deviceId(place.random(32)),
        box: place.random(64),
      }));
      await store.announceEpoch({ ...announcement(place, 1), boxes });
      for (const index of [0, 4_999, 9_999]) {
        const { device, box } = boxes[index] as (typeof boxes)[number];
        assert.deepEqual((await store.readBox({ ...place, epoch: 1, device }))?.bytes, box);
      }
    },
  },
  {
    name: 'takes epochs in order, each once',
    async check({ store }) {
      const place = placeOf('order');
      await addDayKey(store, place);
      assert.deepEqual(await store.announceEpoch(announcement(place, 2)), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 1)), {
        seq: 1,
        repeated: false,
      });
      assert.deepEqual(await store.announceEpoch(announcement(place, 1)), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 3)), { refused: 'epoch-taken' });
      assert.deepEqual(await store.announceEpoch(announcement(place, 2)), {
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
      const verdicts = await Promise.all(rivals.map((rival) => store.announceEpoch(rival)));
      assert.deepEqual(outcomes(verdicts).toSorted(), [2, ...Array<string>(7).fill('epoch-taken')]);
      for (const [i, { boxes }] of rivals.entries()) {
        for (const { device, box } of boxes) {
          const won = !('refused' in (verdicts[i] as object));
          const stored = await store.readBox({ ...place, epoch: 2, device });
          assert.deepEqual(stored?.bytes ?? null, won ? box : null);
        }
      }
    },
  },
  {
    name: 'answers a repeated announcement with its first seq',
    async check({ store }) {
      const place = placeOf('repeat');
      await addDayKey(store, place);
      const first = announcement(place, 1);
      await store.announceEpoch(first);
      await store.appendEnvelopes([item(place)]);
      await store.announceEpoch(announcement(place, 2));
      assert.deepEqual(await store.announceEpoch(first), { seq: 1, repeated: true });
      const other = { ...announcement(place, 3), messageId: first.messageId };
      assert.deepEqual(await store.announceEpoch(other), { refused: 'message-id-reused' });
    },
  },
];
