import { groupId, type GroupId } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { hurriedPorts } from './noon-ports.ts';
import { remove } from './removal.ts';
import { goesOn, until, type Person, type Stage } from './stage.ts';

/** What is said of now is shown once, while it is of now, and only as it was said. */
export function liveFrames(stage: () => Stage): void {
  describe('live values', () => {
    let ada: Person;
    let bo: Person;
    let group: GroupId;

    beforeEach(async () => {
      await stage().clear();
      ({ ada, bo } = await stage().pair());
      ({ group } = await burgle(bo));
    });

    /** Keeps what passes to `bo` instead of handing it on. */
    function keep(): { frames: Uint8Array[]; end: () => void } {
      const frames: Uint8Array[] = [];
      const end = stage().hostile.attack({
        victim: bo.client.device,
        toClient(frame) {
          if (frame.type !== 'ephemeral') return [frame];
          frames.push(frame.frame);
          return [];
        },
      });
      return { frames, end };
    }

    /** Ada says where she is, once for each place; what was kept of it. */
    async function kept(...places: string[]): Promise<Uint8Array[]> {
      const { frames, end } = keep();
      for (const [i, place] of places.entries()) {
        await ada.client.collections.places.publish({ place });
        await until(() => frames.length > i, `frame ${i + 1} to be kept`);
      }
      end();
      return frames;
    }

    const give = (frame: Uint8Array, of: GroupId = group): void =>
      stage().hostile.linksOf(bo.client.device).at(-1)?.toClient({ type: 'ephemeral', group: of, frame });
    const shown = () => bo.client.collections.places.current().map(({ body }) => body.place);
    const refusals = () => Object.fromEntries(bo.client.liveRefusals);

    test('replayed: shown once, and not again', async () => {
      const [frame] = (await kept('here')) as [Uint8Array];
      give(frame);
      await until(() => shown().length === 1, 'bo to see where ada is');
      const [{ timeMs }] = bo.client.collections.places.current() as unknown as [{ timeMs: number }];
      give(frame);
      give(frame);
      await goesOn(ada, bo);
      expect(refusals()).toEqual({ replayed: 2 });
      expect(bo.client.collections.places.current()).toMatchObject([{ timeMs, body: { place: 'here' } }]);
    });

    test('reordered: the older one does not come back', async () => {
      const [first, second] = (await kept('here', 'there')) as [Uint8Array, Uint8Array];
      give(second);
      give(first);
      await goesOn(ada, bo);
      expect(shown()).toEqual(['there']);
      expect(refusals()).toEqual({ 'out-of-order': 1 });
    });

    test('held back over a reconnect: not of this connection, and not shown', async () => {
      const [frame] = (await kept('here')) as [Uint8Array];
      const [link] = stage().hostile.linksOf(bo.client.device);
      link?.cut();
      await until(() => bo.failures.length > 0 && bo.client.state.kind === 'online', 'bo to be back');
      give(frame);
      await goesOn(ada, bo);
      expect(refusals()).toEqual({ expired: 1 });
      expect(shown()).toEqual([]);
    });

    test('of another group, or of another organisation under the name of this group: not shown', async () => {
      const [frame] = (await kept('here')) as [Uint8Array];
      const other = await stage().pair();
      const foreign: Uint8Array[] = [];
      const end = stage().hostile.attack({
        toRelay(sent) {
          if (sent.type === 'ephemeral') foreign.push(sent.frame);
          return [sent];
        },
      });
      await other.ada.client.collections.places.publish({ place: 'elsewhere' });
      await until(() => foreign.length > 0, 'a frame of the other organisation');
      end();
      give(frame, groupId(nodeRandom(32)));
      give(foreign[0] as Uint8Array);
      await goesOn(ada, bo);
      expect(shown()).toEqual([]);
      expect(refusals()).toEqual({ 'decryption-failed': 1 });
    });

    test('altered, cut short, or of random bytes: not shown', async () => {
      const [frame] = (await kept('here')) as [Uint8Array];
      for (const place of [0, 2, 6, 20, 33, 34, 100, frame.length - 1]) {
        const altered = frame.slice();
        altered[place] = (altered[place] as number) ^ 1;
        give(altered);
      }
      give(frame.subarray(0, 117));
      give(frame.subarray(0, frame.length - 1));
      give(nodeRandom(300));
      await goesOn(ada, bo);
      expect(shown()).toEqual([]);
      expect(refusals()).toEqual({
        'unsupported-version': 2,
        'wrong-context': 1,
        'decryption-failed': 7,
        malformed: 1,
      });
      give(frame);
      await until(() => shown().length === 1, 'the true frame, which none of these has used up');
    });

    test('thrown back at their sender: not shown', async () => {
      const [frame] = (await kept('here')) as [Uint8Array];
      stage().hostile.linksOf(ada.client.device).at(-1)?.toClient({ type: 'ephemeral', group, frame });
      await until(() => ada.client.liveRefusals.size > 0, 'ada to refuse');
      expect([...ada.client.liveRefusals]).toEqual([['replayed', 1]]);
      expect(ada.client.collections.places.current()).toEqual([]);
    });

    test('of a removed device: neither in the old epoch nor in the one without it', async () => {
      const eve = await stage().admit(ada, 'eve');
      await goesOn(eve, bo);
      await goesOn(ada, bo);
      const { frames, end } = keep();
      await eve.client.collections.places.publish({ place: 'inside' });
      await eve.client.collections.places.publish({ place: 'still inside' }, { room: 'other' });
      await until(() => frames.length > 1, "eve's frames");
      end();
      const [first, second] = frames as [Uint8Array, Uint8Array];
      give(first);
      await until(() => shown().length === 1, 'bo to see eve while she is a member');
      let isHeldBack = true;
      stage().hostile.attack({
        toRelay: (frame) => (isHeldBack && frame.type === 'announce' ? [] : [frame]),
      });
      const { epoch } = bo.client;
      await remove(stage(), ada, eve);
      await until(() => bo.client.members().length === 2, 'bo to learn of the removal');
      expect(shown()).toEqual([]);
      give(second);
      await until(() => refusals()['removed'] === 1, 'bo to refuse whom the log has removed');
      expect(bo.client.epoch).toBe(epoch);
      for (const link of stage().hostile.linksOf(ada.client.device)) link.cut();
      for (const link of stage().hostile.linksOf(bo.client.device)) link.cut();
      isHeldBack = false;
      await until(
        () => bo.client.epoch > epoch && bo.client.state.kind === 'online',
        'the epoch without eve',
      );
      give(second);
      await until(() => refusals()['wrong-context'] === 1, 'bo to refuse the old epoch');
      expect(shown()).toEqual([]);
    });
  });

  test('a live value that is held back until it is too old is not shown', async () => {
    await stage().clear();
    const ports = hurriedPorts();
    const { ada, bo } = await stage().pair(ports);
    stage().hostile.attack({
      victim: bo.client.device,
      toClient(frame, link) {
        if (frame.type !== 'ephemeral') return [frame];
        // A minute and more, in a hurry.
        void sleep(4_500).then(() => link.toClient(frame));
        return [];
      },
    });
    await ada.client.collections.places.publish({ place: 'long gone' });
    await until(() => bo.client.liveRefusals.size > 0, 'bo to refuse');
    expect(bo.client.liveRefusals.get('expired')).toBeGreaterThan(0);
    expect(bo.client.collections.places.current()).toEqual([]);
  });
}
