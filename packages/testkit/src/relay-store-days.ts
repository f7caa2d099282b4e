import assert from 'node:assert/strict';
import { deviceId, toHex, type DeviceId } from '@keytide/crypto-core';
import type { DayTree, EnvelopeAppend, Filed, RelayStore } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import {
  addDayKey,
  addition,
  announcement,
  filedOn,
  item,
  outcomes,
  placeOf,
  startedPlace,
  TODAY,
  wholeLog,
  type Place,
} from './relay-store-fixtures.ts';

/** An envelope of that day. */
function on(place: Place, day: number, retentionClass = 8): EnvelopeAppend & Filed {
  const { filing, digest } = filedOn(place, day);
  return item(place, { digest, filing: { ...filing, retentionClass } });
}

/** A place with an envelope on each of these days, after a statement on the first. */
async function placeOn(store: RelayStore, seed: string, days: readonly number[]): Promise<Place> {
  const place = placeOf(seed);
  for (const day of days) await addDayKey(store, place, day);
  await store.announceEpoch(announcement(place, 1, days[0]));
  for (const day of days) await store.appendEnvelopes([on(place, day)]);
  return place;
}

/** Where a log begins, by its first page. */
async function floorOf(store: RelayStore, { org, group }: Place): Promise<number | null> {
  return (await store.readEntries(org, group, 0)).entries[0]?.seq ?? null;
}

/** Group logs by days: what is where, and what forgetting takes. */
export const dayChecks: readonly StoreCheck[] = [
  {
    name: 'files what comes under its day, and reads a day at a time',
    async check({ store }) {
      const place = await placeOn(store, 'days', [TODAY, TODAY + 1, TODAY + 40]);
      const { org, group } = place;
      // Another class from now on: a day stays where it began.
      await store.appendEnvelopes([on(place, TODAY + 40, 3), on(place, TODAY + 40, 3)]);
      const pages: [number | null, number[]][] = [];
      for (let after = 0; ;) {
        const { day, entries, headSeq } = await store.readEntries(org, group, after);
        assert.equal(headSeq, 6);
        if (entries.length === 0) break;
        pages.push([day, entries.map(({ seq }) => seq)]);
        after = entries.at(-1)!.seq;
      }
      assert.deepEqual(pages, [
        [TODAY, [1, 2]],
        [TODAY + 1, [3]],
        [TODAY + 40, [4, 5, 6]],
      ]);
      assert.deepEqual(
        (await store.readEntries(org, group, 4)).entries.map(({ seq }) => seq),
        [5, 6],
      );
      assert.equal(await store.newestDay(), TODAY + 40);
    },
  },
  {
    name: 'takes the first entries of a day from everywhere at once',
    async check({ store }) {
      const places = Array.from({ length: 8 }, (_, i) => placeOf(`first of a day ${i}`));
      const first = places.map((place) => announcement(place, 1, TODAY - 77));
      for (const place of places) await addDayKey(store, place, TODAY - 77);
      // Nothing of this class is there either.
      const filed = first.map((one) => ({ ...one, filing: { ...one.filing, retentionClass: 13 } }));
      const verdicts = await Promise.all(filed.map((one) => store.announceEpoch(one)));
      assert.deepEqual(
        outcomes(verdicts),
        places.map(() => 1),
      );
    },
  },
  {
    name: 'never goes back to an earlier day, and says which one it is to be',
    async check({ store }) {
      const place = await placeOn(store, 'clock', [TODAY + 3]);
      const other = await placeOn(store, 'other clock', [TODAY]);
      await addDayKey(store, place, TODAY);
      const again = `seal again for ${TODAY + 3}`;
      assert.deepEqual(outcomes(await store.appendEnvelopes([on(place, TODAY)])), [again]);
      const mixed = [on(place, TODAY), on(other, TODAY), on(place, TODAY), item(place, { epoch: 9 })];
      assert.deepEqual(outcomes(await store.appendEnvelopes(mixed)), [again, 3, again, 'unknown-epoch']);
      assert.deepEqual(await store.announceEpoch(announcement(place, 2, TODAY)), { sealAgainFor: TODAY + 3 });
      assert.equal((await wholeLog(store, place)).length, 2);
    },
  },
  {
    name: 'stores nothing for a day without a key',
    async check({ store }) {
      const place = await startedPlace(store, 'keyless');
      const other = await startedPlace(store, 'keyed');
      const again = `seal again for ${TODAY + 1}`;
      assert.equal(await store.readDayKey(place.org, TODAY + 1), null);
      assert.deepEqual(outcomes(await store.appendEnvelopes([on(place, TODAY + 1)])), [again]);
      const mixed = [on(place, TODAY + 1), on(other, TODAY)];
      assert.deepEqual(outcomes(await store.appendEnvelopes(mixed)), [again, 2]);
      assert.deepEqual(await store.announceEpoch(announcement(place, 2, TODAY + 1)), {
        sealAgainFor: TODAY + 1,
      });
      await addDayKey(store, place, TODAY + 1);
      assert.deepEqual(outcomes(await store.appendEnvelopes([on(place, TODAY + 1)])), [2]);
    },
  },
  {
    name: 'keeps the first key of a day, and counts what wraps it among the wrapping keys',
    async check({ store }) {
      const { org, random } = placeOf('day keys');
      const key = { wrappingKey: `of days ${toHex(random(8))}`, wrapped: random(60) };
      await store.addDayKey(org, TODAY, key);
      await store.addDayKey(org, TODAY, { ...key, wrapped: random(60) });
      assert.deepEqual(await store.readDayKey(org, TODAY), key);
      assert.equal(await store.readDayKey(placeOf('others').org, TODAY), null);
      assert.ok((await store.wrappingKeys()).includes(key.wrappingKey));
      const listed = await store.wrappedDayKeys.listOthers('another', null, 10_000);
      assert.deepEqual(
        listed.filter((one) => one.org === org),
        [{ org, number: TODAY, ...key }],
      );
    },
  },
  {
    name: 'knows a message id from any day that is not over, and no longer',
    async check({ store }) {
      const place = await placeOn(store, 'ids of days', [TODAY]);
      const old = on(place, TODAY);
      await store.appendEnvelopes([old]);
      const later = TODAY + 64;
      await addDayKey(store, place, later);
      const again = { ...old, filing: { ...old.filing, day: later } };
      const other = on(place, later);
      assert.deepEqual(await store.appendEnvelopes([again]), [{ seq: 3, repeated: true }]);
      assert.deepEqual(await store.appendEnvelopes([again, other]), [
        { seq: 3, repeated: true },
        { seq: 4, repeated: false },
      ]);
      const since = { ...again, filing: { ...again.filing, sinceDay: TODAY + 1 } };
      assert.deepEqual(await store.appendEnvelopes([since]), [{ seq: 5, repeated: false }]);
      // Also where both are of one table.
      const soon = { ...other, filing: { ...other.filing, day: later + 1, sinceDay: later + 1 } };
      await addDayKey(store, place, later + 1);
      assert.deepEqual(await store.appendEnvelopes([soon]), [{ seq: 6, repeated: false }]);
    },
  },
  {
    name: 'forgets days of one organisation: keys, boxes, entries, and the floor rises',
    async check({ store }) {
      const days = [TODAY - 9, TODAY - 8, TODAY - 7];
      const place = await placeOn(store, 'forgotten', days);
      const other = await placeOn(store, 'not forgotten', days);
      const { org, group } = place;
      const second = announcement(place, 2, TODAY - 8);
      const late = await placeOn(store, 'a day that goes', [TODAY - 9]);
      const boxed = announcement({ ...late, group }, 1, TODAY - 9);
      await store.announceEpoch(boxed);
      assert.deepEqual(await store.announceEpoch(second), { sealAgainFor: TODAY - 7 });
      const { device } = boxed.boxes[0]!;
      const box = { org: late.org, group, epoch: 1, device };
      assert.ok(await store.readBox(box));
      assert.ok((await store.listLogOrgs()).includes(org));

      assert.deepEqual(await store.forgetDays(org, TODAY - 10), []);
      assert.equal(await floorOf(store, place), 1);
      assert.deepEqual(await store.forgetDays(org, TODAY - 8), [{ group, firstSeq: 1, lastSeq: 3 }]);
      assert.equal(await floorOf(store, place), 4);
      assert.deepEqual(await store.forgetDays(org, TODAY - 8), []);
      for (const day of days)
        assert.equal((await store.readDayKey(org, day)) === null, day <= TODAY - 8, `${day}`);
      assert.equal((await store.readEntries(org, group, 0)).headSeq, 4);
      assert.equal(await floorOf(store, other), 1);
      for (const day of days) assert.notEqual(await store.readDayKey(other.org, day), null);

      await store.forgetDays(late.org, TODAY - 9);
      assert.equal(await store.readBox(box), null);
      assert.equal((await store.listLogOrgs()).includes(late.org), false);
      assert.deepEqual(await store.readEntries(late.org, group, 0), {
        entries: [],
        day: null,
        headSeq: 1,
        epoch: 1,
      });
    },
  },
  {
    name: 'lists the days of logs with what was exported of each, by the device that goes farthest',
    async check({ store }) {
      const place = await startedPlace(store, 'exports');
      const other = await startedPlace(store, 'no exports');
      const { org, group, random } = place;
      for (const day of [TODAY + 1, TODAY + 4]) {
        await addDayKey(store, place, day);
        await store.appendEnvelopes([on(place, day), on(place, day)]);
      }
      const days = async (through = TODAY + 9) =>
        (await store.listLogDays(org, through)).map(({ group: of, ...day }) => {
          assert.equal(of, group);
          return Object.values(day);
        });
      const listed = (exported: number) => [
        [TODAY, 1, 1, exported],
        [TODAY + 1, 2, 3, exported],
        [TODAY + 4, 4, 5, exported],
      ];
      assert.deepEqual(await days(), listed(0));
      assert.deepEqual(await days(TODAY + 3), listed(0).slice(0, 2));
      assert.deepEqual(await store.listLogDays(placeOf('nowhere').org, TODAY), []);
      const [one, two] = [deviceId(random(32)), deviceId(random(32))];
      const says = (device: DeviceId, throughSeq: number, size = 1) =>
        store.putExport({ org, group, device, throughSeq, wire: random(180) }, size);
      assert.equal(await says(one, 3), true);
      assert.equal(await says(two, 2), true);
      assert.deepEqual(await days(), listed(3));
      // The newest word of a device takes the place of the one before.
      assert.equal(await says(one, 1), true);
      assert.deepEqual(await days(), listed(2));
      assert.deepEqual((await store.listLogDays(other.org, TODAY))[0]?.exportedThrough, 0);
      // Whoever was judged by a log that has grown says nothing; what was said before stays.
      await store.appendLogEntry(addition(place, 1, random(99)));
      assert.deepEqual([await says(one, 5), await says(one, 5, 3)], [false, false]);
      assert.deepEqual(await days(), listed(2));
      assert.equal(await says(one, 5, 2), true);
      assert.deepEqual(await days(), listed(5));
    },
  },
  {
    name: 'knows the first day that has anything that nobody has exported, of all groups',
    async check({ store }) {
      const place = await startedPlace(store, 'held');
      for (const day of [TODAY + 1, TODAY + 4]) {
        await addDayKey(store, place, day);
        await store.appendEnvelopes([on(place, day), on(place, day)]);
      }
      const { org, group, random } = place;
      const says = async (throughSeq: number, of = group): Promise<number | null> => {
        const device = deviceId(random(32));
        await store.putExport({ org, group: of, device, throughSeq, wire: random(180) }, 1);
        return await store.firstDayHeld(org);
      };
      assert.equal(await store.firstDayHeld(placeOf('nothing held').org), null);
      assert.equal(await store.firstDayHeld(org), TODAY);
      assert.deepEqual([await says(1), await says(2)], [TODAY + 1, TODAY + 1]);
      assert.deepEqual([await says(3), await says(4), await says(5)], [TODAY + 4, TODAY + 4, null]);
      const later = announcement({ ...placeOf('a later group held'), org }, 1, TODAY + 1);
      await store.announceEpoch(later);
      assert.equal(await store.firstDayHeld(org), TODAY + 1);
      assert.equal(await says(1, later.group), null);
      // What is forgotten by then nobody exports any more: the rest is held from where it begins.
      const waived = await placeOn(store, 'held and waived', [TODAY - 9, TODAY - 7]);
      await store.forgetDays(waived.org, TODAY - 9);
      assert.equal(await store.firstDayHeld(waived.org), TODAY - 7);
      await store.forgetDays(waived.org, TODAY - 7);
      assert.equal(await store.firstDayHeld(waived.org), null);
    },
  },
  {
    name: 'keeps what was forgotten by its own word, once, and gives the newest first',
    async check({ store }) {
      const { org, group, random } = placeOf('deletions');
      const elsewhere = placeOf('other deletions');
      const words = Array.from({ length: 103 }, (_, i) => ({ lastSeq: i + 1, wire: random(170) }));
      assert.deepEqual(await store.listDeletions(org), []);
      for (const { lastSeq, wire } of words) await store.putDeletion(org, group, lastSeq, wire);
      const [first] = words as [(typeof words)[0]];
      await store.putDeletion(org, group, first.lastSeq, random(170));
      await store.putDeletion(elsewhere.org, group, 500, random(170));
      const newest = words.toReversed().slice(0, 100);
      assert.deepEqual(
        await store.listDeletions(org),
        newest.map((word) => ({ group, ...word })),
      );
    },
  },
  {
    name: 'keeps by whose word something was forgotten, also when the same device has said more since',
    async check({ store }) {
      const { org, group, random } = await startedPlace(store, 'released');
      const [one, two] = [deviceId(random(32)), deviceId(random(32))];
      const says = async (device: DeviceId, throughSeq: number): Promise<string> => {
        const wire = random(180);
        await store.putExport({ org, group, device, throughSeq, wire }, 1);
        return toHex(wire);
      };
      const exports = async () => (await store.listExports(org)).map(toHex).toSorted();
      assert.deepEqual(await exports(), []);
      const [short, first] = [await says(two, 1), await says(one, 5)];
      await store.putDeletion(org, group, 4, random(170));
      const second = await says(one, 9);
      assert.deepEqual(await exports(), [short, first, second].toSorted());
      // Nobody's.
      await store.putDeletion(org, group, 10, random(170));
      assert.deepEqual(await exports(), [short, first, second].toSorted());
    },
  },
  {
    name: 'goes on with a log of which everything was forgotten, never on a day that is over',
    async check({ store }) {
      const place = await placeOn(store, 'all forgotten', [TODAY - 5]);
      const { org, group } = place;
      assert.deepEqual(await store.forgetDays(org, TODAY - 3), [{ group, firstSeq: 1, lastSeq: 2 }]);
      await addDayKey(store, place, TODAY - 5);
      await addDayKey(store, place, TODAY - 2);
      const again = `seal again for ${TODAY - 2}`;
      assert.deepEqual(outcomes(await store.appendEnvelopes([on(place, TODAY - 5)])), [again]);
      const two = [on(place, TODAY - 2), on(place, TODAY - 2)];
      assert.deepEqual(outcomes(await store.appendEnvelopes(two)), [3, 4]);
      assert.deepEqual(outcomes(await store.appendEnvelopes([on(place, TODAY - 2)])), [5]);
      assert.equal(await floorOf(store, place), 3);
      assert.deepEqual(
        (await wholeLog(store, place)).map(({ seq }) => seq),
        [3, 4, 5],
      );
    },
  },
  {
    name: 'moves a floor with its statement and frontier, also that of a group in which nobody writes',
    async check({ store }) {
      const place = await placeOn(store, 'silent', [TODAY - 20]);
      const { org, group, random } = place;
      await addDayKey(store, place, TODAY);
      assert.deepEqual(await store.listFloors(org, TODAY - 21), []);
      const move = { group, firstSeq: 1, nextFirstSeq: 3 };
      assert.deepEqual(await store.listFloors(org, TODAY - 20), [move]);
      const newest = await store.readNewestStatement(org, group);
      assert.deepEqual(await store.readStatementBefore(org, group, 2), newest);
      const { epoch, messageId } = newest!;
      const floor = { firstSeq: 3, epoch, messageId, day: TODAY, bytes: random(99), frontier: random(32) };
      await store.keepFloor({ org, group, ...floor, frontier: null });
      assert.equal(await store.readFloor(org, group), null);
      await store.keepFloor({ org, group, ...floor });
      await store.forgetDays(org, TODAY - 20);
      assert.deepEqual(await store.readFloor(org, group), floor);
      const { bytes, day } = floor;
      const kept = { epoch: 1, day, messageId, bytes };
      assert.deepEqual(await store.readNewestStatement(org, group), kept);
      // Its own day goes as well: it is made ready again, where it is.
      assert.deepEqual(await store.listFloors(org, TODAY - 1), []);
      assert.deepEqual(await store.listFloors(org, TODAY), [{ ...move, firstSeq: 3 }]);
      const next = announcement(place, 2);
      assert.deepEqual(await store.announceEpoch(next), { seq: 3, repeated: false });
      assert.deepEqual((await store.readNewestStatement(org, group))?.bytes, next.statement);
      assert.deepEqual(await store.readStatementBefore(org, group, 3), kept);
      assert.deepEqual(await store.readFloor(org, group), floor);
    },
  },
  {
    name: 'keeps a floor that somebody else has made ready for a later day',
    async check({ store }) {
      const place = await placeOn(store, 'two floors', [TODAY - 30, TODAY - 20]);
      const { org, group, random } = place;
      await addDayKey(store, place, TODAY);
      const { epoch, messageId } = (await store.readNewestStatement(org, group))!;
      for (const firstSeq of [4, 3]) {
        const made = { firstSeq, epoch, messageId, day: TODAY, bytes: random(99), frontier: random(32) };
        await store.keepFloor({ org, group, ...made });
      }
      for (const [day, firstSeq] of [
        [TODAY - 30, 3],
        [TODAY - 20, 4],
      ] as const) {
        await store.forgetDays(org, day);
        assert.equal((await store.readFloor(org, group))?.firstSeq, firstSeq);
      }
    },
  },
  {
    name: 'keeps the tree of each day of a log, the largest one, and lists the days that are over and have not all of it',
    async check({ store }) {
      const place = await placeOn(store, 'trees', [TODAY - 9, TODAY - 8, TODAY]);
      const { org, group, random } = place;
      await addDayKey(store, place, TODAY - 8);
      const boxed = announcement({ ...placeOf('a later group'), org }, 1, TODAY - 8);
      await store.announceEpoch(boxed);
      const listed = async (beforeDay: number, after: DayTree | null = null) =>
        (await store.listDayTrees(org, beforeDay, after)).map(({ firstSeq, lastSeq, group: of }) => [
          of === group ? 'this' : 'other',
          firstSeq,
          lastSeq,
        ]);
      const [first, second, third, other] = [
        ['this', 1, 2],
        ['this', 3, 3],
        ['this', 4, 4],
        ['other', 1, 1],
      ];
      const inOrder = (...days: unknown[]) => (group < boxed.group ? [...days, other] : [other, ...days]);
      assert.deepEqual(await listed(TODAY + 1), inOrder(first, second, third));
      assert.deepEqual(await listed(TODAY), inOrder(first, second));
      assert.deepEqual(await listed(TODAY - 8), [first]);
      const after = { group, firstSeq: 1, lastSeq: 2 };
      assert.deepEqual(
        await listed(TODAY, after),
        inOrder(second).filter((day) => day !== other || group < boxed.group),
      );
      assert.deepEqual(await store.listDayTrees(placeOf('no trees').org, TODAY, null), []);

      const tree = (size: number) => ({ size, frontier: random(32) });
      const [one, two, three] = [tree(1), tree(2), tree(3)];
      assert.equal(await store.readTree(org, group, 9), null);
      await store.keepTree(org, group, 1, one);
      assert.deepEqual(await listed(TODAY), inOrder(first, second));
      await store.keepTree(org, group, 1, two);
      await store.keepTree(org, group, 1, tree(1));
      await store.keepTree(org, group, 3, three);
      await store.keepTree(org, group, 2, tree(2));
      assert.deepEqual(await listed(TODAY), inOrder());
      for (const [size, kept] of [
        [1, null],
        [2, two],
        [3, three],
        [9, three],
      ] as const)
        assert.deepEqual(await store.readTree(org, group, size), kept, `${size}`);
      assert.equal(await store.readTree(placeOf('no trees').org, group, 9), null);
      // What is forgotten is known by the floor.
      const { epoch, messageId, bytes } = (await store.readNewestStatement(org, group))!;
      const floor = { org, group, firstSeq: 4, epoch, messageId, day: TODAY, bytes };
      await store.keepFloor({ ...floor, frontier: null });
      await store.forgetDays(org, TODAY - 8);
      await store.keepTree(org, group, 3, three);
      assert.equal(await store.readTree(org, group, 9), null);
      await store.keepFloor({ ...floor, frontier: three.frontier });
      for (const [size, kept] of [
        [2, null],
        [3, three],
        [9, three],
      ] as const)
        assert.deepEqual(await store.readTree(org, group, size), kept, `${size}`);
    },
  },
  {
    name: 'loses no entry to forgetting that comes at the same time',
    async check({ store }) {
      const place = await placeOn(store, 'forgetting race', [TODAY - 4]);
      const { org, group } = place;
      const appends = Array.from({ length: 12 }, () => store.appendEnvelopes([on(place, TODAY - 4)]));
      const stretches = store.forgetDays(org, TODAY - 4);
      const verdicts = outcomes((await Promise.all(appends)).flat());
      const lastSeq = (await stretches)[0]?.lastSeq ?? 0;
      for (const verdict of verdicts)
        assert.ok(verdict === `seal again for ${TODAY - 3}` || (verdict as number) <= lastSeq, `${verdict}`);
      assert.equal((await store.readEntries(org, group, 0)).headSeq, lastSeq);
    },
  },
  {
    name: 'drops the tables of days that nobody has any more, and makes them anew',
    async check({ store }) {
      const early = TODAY - 400;
      const place = await placeOn(store, 'dropped', [early, early + 1]);
      const other = await placeOn(store, 'not dropped', [early + 1]);
      // Days of their own classes: a log's rows, boxes and ids.
      await store.dropForgotten(TODAY);
      assert.equal((await wholeLog(store, place)).length, 3);
      await store.forgetDays(place.org, early + 1);
      assert.equal(await store.dropForgotten(early), 0);
      const dropped = await store.dropForgotten(TODAY);
      assert.ok(dropped >= 2, `${dropped}`);
      assert.equal((await wholeLog(store, other)).length, 2);
      assert.equal(await store.dropForgotten(TODAY), 0);
      // A process that takes the table for made finds out, and makes it again.
      const late = placeOf('comes late');
      await addDayKey(store, late, early);
      assert.deepEqual(await store.announceEpoch(announcement(late, 1, early)), { seq: 1, repeated: false });
      await store.forgetDays(other.org, early + 1);
      await store.forgetDays(late.org, early);
      assert.ok((await store.dropForgotten(TODAY)) >= 3, 'the days, and the period of their ids');
    },
  },
];
