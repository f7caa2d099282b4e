import type { AggregatePlan, AggregateRecord, AggregateRelease } from '@keytide/archive/aggregates';
import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  org,
  type Client,
} from '@keytide/client';
import { publishedReleases, publishRelease, releases } from '@keytide/client/aggregates';
import { encodeCbor, toBase64Url, type CborValue } from '@keytide/crypto-core';
import { parseEntry } from '@keytide/key-directory';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { forkMembershipLog, withholdEntries } from '@keytide/testkit/hostile-relay';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { noonPorts } from './noon-ports.ts';
import { until, type Stage } from './stage.ts';

const PATIENCE = { timeout: 20_000 };
const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 5);
const PLACES = ['north', 'south'];

/** What is published is what an admin has signed, once for each period, whatever the relay shows to whom. */
export function lyingAboutAggregates(stage: () => Stage): void {
  describe('numbers that an admin publishes', () => {
    const definition = defineOrganisation({
      shifts: org(z.object({ place: z.string() })),
      releases: releases(),
    });
    type Device = Client<typeof definition>;
    let ada: Device;
    let bo: Device;
    /** Of another organisation at the same relay. */
    let foreign: AggregateRelease;

    beforeAll(async () => {
      ada = await founds('ada');
      bo = await join({ ...options(), link: await ada.invite({ role: 'admin' }), handle: 'bo' });
      await Promise.all([ada.online(), bo.online()]);
      const eve = await founds('eve');
      await eve.online();
      foreign = await publishes(eve, 0, 30);
      await eve.close();
    });
    afterEach(() => stage().hostile.relent());
    afterAll(() => Promise.all([ada?.close(), bo?.close()]));

    const options = () => ({ definition, ports: noonPorts, store: memoryDeviceStore() });
    const founds = (handle: string): Promise<Device> =>
      createOrganisation({ ...options(), relayUrl: stage().hostile.url, handle });
    const planOf = (day: number): AggregatePlan => ({
      dataset: 'shifts',
      period: { field: 'at', from: START + day * DAY_MS, to: START + (day + 1) * DAY_MS },
      views: [{ name: 'places', dimensions: [{ field: 'place', categories: PLACES }] }],
    });
    /** Numbers of a day: so many in the north, and ten in the south. */
    function publishes(client: Device, day: number, north: number): Promise<AggregateRelease> {
      const at = START + day * DAY_MS;
      const records: AggregateRecord[] = Array.from({ length: north + 10 }, (_, i) => ({
        ...{ at, place: PLACES[i < north ? 0 : 1] },
      }));
      return publishRelease(client, { plan: planOf(day), records, collection: client.collections.releases });
    }
    const shownBy = async (client: Device) => {
      await client.collections.releases.pull();
      return await publishedReleases(client, client.collections.releases);
    };

    /** Shows bo these documents in place of what is published. */
    function shows(told: readonly { id: string; release: unknown }[]): void {
      stage().hostile.attack({
        victim: bo.device,
        async call(call, forward) {
          const answer = await forward(call);
          if (call.method !== 'GET' || !call.path.includes('/releases')) return answer;
          const documents = told.map(({ id, release }, i) => ({
            ...{ id, version: 1_000 + i, body: toBase64Url(encodeCbor({ release } as CborValue)) },
          }));
          return { status: 200, body: { documents, next: 1_000_000, more: false } };
        },
      });
    }

    test('withheld: it is said that there are some, and which', async () => {
      shows([]);
      await publishes(ada, 0, 20);
      await expect.poll(() => bo.directorySize, PATIENCE).toBe(ada.directorySize);
      expect(await shownBy(bo)).toMatchObject([
        { dataset: 'shifts', fromMs: START, release: null, problem: 'not-shown' },
      ]);
      // And nobody who is kept from seeing them makes others.
      await expect(publishes(bo, 0, 25)).rejects.toMatchObject({ code: 'already-published' });
    });

    test('replaced: by altered ones, those of another day, or of another organisation', async () => {
      await publishes(ada, 1, 21);
      await expect.poll(() => bo.directorySize, PATIENCE).toBe(ada.directorySize);
      const true_ = (await ada.collections.releases.list()).map(({ id, body: { release } }) => ({
        id,
        release,
      }));
      const [one] = true_ as [(typeof true_)[0], (typeof true_)[0]];
      const [north, south] = one.release.atoms[0] ?? [];
      const altered = { ...one.release, atoms: [[{ ...north, count: 19 }, south]] };
      for (const documents of [
        ...[altered, { ...altered, plan: { ...altered.plan, k: 11 } }, foreign].map((release) =>
          true_.map(({ id }) => ({ id, release })),
        ),
        // Each in the place of the other.
        true_.map(({ id }, i) => ({ id, release: true_[1 - i]?.release })),
      ]) {
        shows(documents);
        const shown = await shownBy(bo);
        expect(shown.map(({ release, problem }) => [release, problem])).toEqual([
          [null, 'not-shown'],
          [null, 'not-shown'],
        ]);
        stage().hostile.relent();
      }
    });

    test('kept from another admin, who would publish others of the same time: there is one entry', async () => {
      const { hostile, relayKey } = stage();
      withholdEntries(hostile, bo.device, bo.directorySize, relayKey);
      await publishes(ada, 2, 22);
      await expect(publishes(bo, 2, 40)).rejects.toMatchObject({ relayCode: 'head-moved' });
      hostile.relent();
      await ada.invite();
      await bo.online();
      await expect
        .poll(async () => (await shownBy(ada)).map(({ fromMs }) => fromMs), PATIENCE)
        .toEqual([0, 1, 2].map((day) => START + day * DAY_MS));
    });

    test('other numbers of one time for one half of the members: two logs, and the proof of it', async () => {
      const { hostile, relayKey } = stage();
      await until(() => bo.directorySize === ada.directorySize, 'bo to see the whole log');
      const fork = forkMembershipLog(hostile, [bo.device], bo.directorySize, relayKey);
      const told = await publishes(ada, 3, 23);
      const other = await publishes(bo, 3, 33);
      expect(other).not.toEqual(told);
      expect(fork.own.map((wire) => parseEntry(primitives, wire).body.kind)).toEqual(['aggregates']);
      // Grown beyond both, so that neither is an older state of the other.
      await ada.invite();
      fork.heal();
      await expect
        .poll(() => bo.state, PATIENCE)
        .toMatchObject({
          ...{ kind: 'stopped', error: { code: 'relay-forked' } },
        });
      expect((await shownBy(ada)).at(-1)?.release).toEqual(told);
    });
  });
}
