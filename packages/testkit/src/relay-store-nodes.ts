import assert from 'node:assert/strict';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, item, placeOf, startedPlace } from './relay-store-fixtures.ts';

const nodeOf = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
const relayKey = new Uint8Array(32).fill(9);
const LEASE_MS = 60_000;

/** Several relays on one store. */
export const nodeChecks: readonly StoreCheck[] = [
  {
    name: 'draws each moment once, each later than those before',
    async check({ store }) {
      const moments = await Promise.all(Array.from({ length: 8 }, () => store.drawMoment()));
      assert.equal(new Set(moments).size, 8);
      assert.ok((await store.drawMoment()) > Math.max(...moments));
    },
  },
  {
    name: 'counts the other nodes with a lease that have not acknowledged a moment',
    async check({ store }) {
      const renew = (byte: number, acked: number, leaseMs = LEASE_MS): Promise<void> =>
        store.renewNode({ node: nodeOf(byte), relayKey, leaseMs, acked });
      const before = await store.drawMoment();
      assert.equal(await store.hasLostNodes(), false);
      await renew(1, before);
      await renew(2, before);
      await renew(3, before, -1);
      const moment = await store.drawMoment();
      assert.deepEqual(
        (await store.listNodes()).map(({ node, relayKey: key }) => [node[0], key[0]]),
        [
          [1, 9],
          [2, 9],
        ],
      );
      assert.equal(await store.countNodesBehind(nodeOf(1), moment), 1);
      assert.equal(await store.countNodesBehind(nodeOf(7), moment), 2);
      await renew(2, moment);
      assert.equal(await store.countNodesBehind(nodeOf(1), moment), 0);
      await renew(3, before);
      assert.equal(await store.countNodesBehind(nodeOf(1), moment), 1);
      await store.leaveNodes(nodeOf(3));
      assert.equal(await store.countNodesBehind(nodeOf(1), moment), 0);
      // Whoever gives a lease back is not lost, and neither is who has one.
      assert.equal(await store.hasLostNodes(), false);
      await renew(3, before, -1);
      assert.equal(await store.hasLostNodes(), true);
      await renew(3, before, -700_000);
      assert.equal(await store.hasLostNodes(), false);
      await store.leaveNodes(nodeOf(3));
      for (const byte of [1, 2]) await store.leaveNodes(nodeOf(byte));
      assert.deepEqual(await store.listNodes(), []);
    },
  },
  {
    name: 'says how far membership logs and group logs go',
    async check({ store }) {
      const place = await startedPlace(store, 'heads of nodes');
      const { org, group, random } = place;
      assert.deepEqual(
        [...(await store.readOrgHeads([org, placeOf('nowhere at all').org]))],
        [[org, { logSize: 1, sessionGeneration: 0 }]],
      );
      await store.appendLogEntry(addition(place, 1, random(100)));
      await store.endSessions({ of: 'organisation', org });
      assert.deepEqual((await store.readOrgHeads([org])).get(org), { logSize: 2, sessionGeneration: 1 });
      assert.deepEqual(await store.readOrgHeads([]), new Map());
      await store.appendEnvelopes([item(place)]);
      const none = { org, group: placeOf('no group').group };
      assert.deepEqual(await store.readGroupHeads([none, { org, group }]), [{ org, group, headSeq: 2 }]);
    },
  },
];
