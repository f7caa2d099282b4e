import assert from 'node:assert/strict';
import { deviceId } from '@keytide/crypto-core';
import type { StoreCheck } from './relay-store-check.ts';
import { placeOf, startedPlace } from './relay-store-fixtures.ts';

/** Sealing records: order, the newest of each device, pages. */
export const sealingRecordChecks: readonly StoreCheck[] = [
  {
    name: 'keeps the newest four sealing records of a device, in the order in which they came',
    async check({ store, reopen }) {
      const { org, random } = await startedPlace(store, 'sealing');
      const [mine, theirs] = [deviceId(random(32)), deviceId(random(32))];
      const wires = Array.from({ length: 7 }, () => random(1_300));
      let afterSeq = 0;
      for (const wire of wires) {
        const seq = await store.addSealingRecord({ org, device: mine, wire, afterSeq });
        assert.ok(seq !== null && seq > afterSeq);
        afterSeq = seq;
      }
      const other = random(1_300);
      const last = await store.addSealingRecord({ org, device: theirs, wire: other, afterSeq: 0 });
      assert.ok(last !== null && last > afterSeq);
      await store.close();
      const again = await reopen();
      const kept = await again.readSealingRecords(org, mine);
      assert.deepEqual(
        kept.map(({ wire }) => wire),
        wires.slice(3),
      );
      assert.deepEqual(await again.listSealingRecords(org, 0), {
        records: [...kept, { seq: last, device: theirs, wire: other }],
        more: false,
      });
      assert.deepEqual((await again.listSealingRecords(org, last - 1)).records.length, 1);
      assert.deepEqual(await again.listSealingRecords(org, last), { records: [], more: false });
      assert.deepEqual(await again.listSealingRecords(placeOf('no records').org, 0), {
        records: [],
        more: false,
      });
      return again;
    },
  },
  {
    name: 'takes a sealing record only after the newest of its device',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'sealing rivals');
      const device = deviceId(random(32));
      const add = (afterSeq: number): Promise<number | null> =>
        store.addSealingRecord({ org, device, wire: random(100), afterSeq });
      assert.equal(await add(1), null);
      const won = (await Promise.all([add(0), add(0), add(0), add(0)])).filter((seq) => seq !== null);
      assert.equal(won.length, 1);
      assert.equal(await add(0), null);
      assert.notEqual(await add(won[0] as number), null);
      assert.equal((await store.readSealingRecords(org, device)).length, 2);
      const nobody = placeOf('nobody seals').org;
      assert.equal(await store.addSealingRecord({ org: nobody, device, wire: random(9), afterSeq: 0 }), null);
    },
  },
  {
    name: 'cuts sealing records into pages of 512, and a reader misses none',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'sealing pages');
      const wires = Array.from({ length: 520 }, () => random(20));
      await Promise.all(
        wires.map((wire) => store.addSealingRecord({ org, device: deviceId(random(32)), wire, afterSeq: 0 })),
      );
      const first = await store.listSealingRecords(org, 0);
      assert.equal(first.records.length, 512);
      assert.equal(first.more, true);
      const second = await store.listSealingRecords(org, first.records[511]?.seq as number);
      assert.equal(second.records.length, 8);
      assert.equal(second.more, false);
      const seqs = [...first.records, ...second.records].map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        seqs.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(seqs).size, 520);
    },
  },
];
