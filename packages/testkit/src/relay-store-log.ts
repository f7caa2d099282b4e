import assert from 'node:assert/strict';
import type { Subject } from '@keytide/relay-protocol';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, growthAt, NOW_MS, placeOf, startedPlace } from './relay-store-fixtures.ts';
import { freshSession } from './relay-store-sessions.ts';

/** Organisations and their membership logs. */
export const logChecks: readonly StoreCheck[] = [
  {
    name: 'creates an organisation once and gives back its genesis',
    async check({ store }) {
      const place = placeOf('create');
      const { org, random } = place;
      const wire = random(300);
      const growth = growthAt(place, 0);
      assert.equal(await store.readLog(org, 0), null);
      const made = await Promise.all(
        Array.from({ length: 4 }, () => store.createOrganisation({ org, wire, growth, nowMs: NOW_MS })),
      );
      assert.deepEqual(made.toSorted(), [false, false, false, true]);
      assert.deepEqual(await store.readLog(org, 0), { entries: [wire], size: 1 });
      assert.equal(await store.hasOrganisations(), true);
    },
  },
  {
    name: 'adds log entries at the head only',
    async check({ store }) {
      const place = await startedPlace(store, 'head');
      const { org, random } = place;
      const wire = random(200);
      await assert.rejects(store.appendLogEntry(addition(place, 2, wire)), { code: 'head-moved' });
      await assert.rejects(store.appendLogEntry(addition(place, 0, wire)), { code: 'head-moved' });
      await store.appendLogEntry(addition(place, 1, wire));
      const page = await store.readLog(org, 1);
      assert.deepEqual(page, { entries: [wire], size: 2 });
      const first = (await store.readLog(org, 0))?.entries.slice(0, 1);
      assert.deepEqual(await store.readLog(org, 0, 1), { entries: first, size: 2 });
      const nobody = placeOf('nobody');
      await assert.rejects(store.appendLogEntry(addition(nobody, 0, wire)), {
        code: 'head-moved',
      });
    },
  },
  {
    name: 'lets one of many win an index of the log',
    async check({ store }) {
      const place = await startedPlace(store, 'race');
      const { org, random } = place;
      const wires = Array.from({ length: 8 }, () => random(100));
      const results = await Promise.allSettled(
        wires.map((wire) => store.appendLogEntry(addition(place, 1, wire))),
      );
      const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [wires[i]] : []));
      assert.equal(winners.length, 1);
      assert.deepEqual((await store.readLog(org, 1))?.entries, winners);
    },
  },
  {
    name: 'cuts the log into pages of at most 500 entries and about 1 MiB',
    async check({ store }) {
      const place = await startedPlace(store, 'pages');
      const { org, random } = place;
      for (let index = 1; index <= 20; index += 1)
        await store.appendLogEntry(addition(place, index, random(65_536)));
      const first = await store.readLog(org, 1);
      assert.equal(first?.entries.length, 16);
      assert.equal(first?.size, 21);
      assert.equal((await store.readLog(org, 17))?.entries.length, 4);
      assert.deepEqual(await store.readLog(org, 21), { entries: [], size: 21 });
      assert.deepEqual(await store.readLog(org, 1_000), { entries: [], size: 21 });
    },
  },
  {
    name: 'ends the sessions named with a log entry, and no others',
    async check({ store }) {
      const place = await startedPlace(store, 'ended');
      const { org, random } = place;
      const id = '7a'.repeat(32);
      const subjects: Subject[] = [
        { kind: 'device', id },
        { kind: 'invite', id },
        { kind: 'device', id: '7b'.repeat(32) },
      ];
      const sessions = subjects.map((subject) => freshSession(org, random, { subject }));
      const tokens = sessions.map(({ tokenHash }) => tokenHash);
      for (const session of sessions) await store.putSession(session, 1);
      await assert.rejects(
        store.appendLogEntry({ ...addition(place, 9, random(9)), ended: [subjects[0] as Subject] }),
        { code: 'head-moved' },
      );
      assert.notEqual(await store.readSession(org, tokens[0] as Uint8Array), null);
      await store.appendLogEntry({ ...addition(place, 1, random(9)), ended: [subjects[0] as Subject] });
      assert.equal(await store.readSession(org, tokens[0] as Uint8Array), null);
      assert.notEqual(await store.readSession(org, tokens[1] as Uint8Array), null);
      assert.notEqual(await store.readSession(org, tokens[2] as Uint8Array), null);
    },
  },
];
