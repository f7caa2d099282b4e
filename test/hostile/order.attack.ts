import type { GroupEntry, RelayFrame } from '@keytide/relay-protocol';
import { forgeGroupLog } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { goesOn, heard, hears, says, unreadable, until, type Person, type Stage } from './stage.ts';

/** The order, number and completeness of messages are their senders' word, not the relay's. */
export function reorderedMessages(stage: () => Stage): void {
  describe('messages', () => {
    test('replayed at another place are refused, and show once', async () => {
      const { ada, bo } = await stage().pair();
      const log = forgeGroupLog(stage().hostile, bo.client.device);
      await says(ada, 'newer');
      await hears(bo, 'newer');
      const messages = (await burgle(ada)).entries.filter(({ kind }) => kind === 'envelope');
      const [first, , newest] = messages as [GroupEntry, GroupEntry, GroupEntry];
      log.insert(newest, first, newest);
      await goesOn(ada, bo);
      expect(unreadable(bo)).toEqual(['replayed', 'out-of-order', 'replayed']);
      expect(heard(bo).filter((text) => text === 'newer')).toHaveLength(1);
      expect(bo.missing).toEqual([]);
    });

    test('swapped: the later one shows and names the gap, the earlier one is refused', async () => {
      const { ada, bo } = await stage().pair();
      let first: GroupEntry | null = null;
      let passed = 0;
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => {
        passed += 1;
        if (passed > 2) return [entry];
        if (passed === 2) return [entry, first as GroupEntry];
        first = entry;
        return [];
      });
      await says(ada, 'first');
      await ada.client.settled();
      await says(ada, 'second');
      await hears(bo, 'second');
      await until(() => unreadable(bo).length > 0, 'the first message');
      expect(unreadable(bo)).toEqual(['out-of-order']);
      expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 1 }]);
      expect(heard(bo)).not.toContain('first');
      await goesOn(ada, bo);
    });

    test('withheld from one device: the next of that sender reports them missing', async () => {
      const { ada, bo } = await stage().pair();
      let withheld = 0;
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => (withheld++ < 2 ? [] : [entry]));
      await says(ada, 'withheld one');
      await says(ada, 'withheld two');
      await until(() => withheld === 2, 'two messages to pass');
      await goesOn(ada, bo);
      expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 2 }]);
      expect(bo.divergence).toHaveLength(1);
      expect(heard(bo)).not.toContain('withheld one');
      expect(unreadable(bo)).toEqual([]);
    });

    test('withheld: each sender is told of once, however often they contradict', async () => {
      const { ada, bo } = await stage().pair();
      const cy = await stage().admit(ada, 'cy');
      await goesOn(cy, ada);
      let withheld = 0;
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => (withheld++ < 1 ? [] : [entry]));
      await says(ada, 'withheld');
      await until(() => withheld === 1, 'a message to be withheld');
      for (let round = 0; round < 3; round += 1) await goesOn(ada, bo);
      expect(bo.divergence.map(({ device }) => device)).toEqual([ada.client.device]);
      await goesOn(cy, bo);
      await goesOn(cy, bo);
      expect(bo.divergence.map(({ device }) => device)).toEqual([ada.client.device, cy.client.device]);
      expect(bo.client.divergence).toBe(bo.divergence[0]);
    });

    test('withheld from somebody new, who cannot read what came before: the closing tells where it ended', async () => {
      const { ada, bo } = await stage().pair();
      const di = await stage().admit(ada, 'di');
      let withheld = 0;
      forgeGroupLog(stage().hostile, di.client.device, (entry) =>
        entry.kind === 'envelope' && withheld++ === 0 ? [] : [entry],
      );
      await says(ada, 'withheld from di');
      await hears(bo, 'withheld from di');
      await says(ada, 'shown to di');
      await hears(di, 'shown to di');
      expect(unreadable(di)).toEqual(['ask-an-admin', 'ask-an-admin']);
      expect(di.missing).toEqual([{ device: ada.client.device, from: 1, to: 1 }]);
      expect([...di.client.missing]).toEqual(di.missing);
    });

    test('withheld are told to whoever listens only after the client was opened', async () => {
      const { ada, bo } = await stage().pair();
      let withheld = 0;
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => (withheld++ < 1 ? [] : [entry]));
      await says(ada, 'withheld');
      await until(() => withheld === 1, 'a message to be withheld');
      await goesOn(ada, bo);
      const expected = [{ device: ada.client.device, from: 1, to: 1 }];
      expect(bo.missing).toEqual(expected);
      const again = await stage().reopen(bo);
      expect(again.missing).toEqual(expected);
      expect(again.client.missing).toEqual(expected);
      const second: unknown[] = [];
      again.client.on('missing', (missing) => second.push(missing));
      expect(second).toEqual([]);
    });

    test('withheld from the end: the closing of the epoch by whoever has them reports them missing', async () => {
      const { ada, bo } = await stage().pair();
      const cy = await stage().admit(ada, 'cy');
      await goesOn(cy, bo);
      let withheld = 0;
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => (withheld++ === 0 ? [] : [entry]));
      await says(ada, 'the last word of ada');
      await hears(cy, 'the last word of ada');
      await stage().admit(ada, 'di');
      await until(() => cy.client.members().length === 4, 'cy to learn of di');
      await says(cy, 'ada has left us');
      await hears(bo, 'ada has left us');
      expect(bo.client.epoch).toBe(3);
      expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 1 }]);
      expect(bo.divergence.map(({ device }) => device)).toEqual([cy.client.device]);
    });
  });

  describe('frames', () => {
    test('sent twice show their entries once', async () => {
      const { ada, bo } = await stage().pair();
      attackEntries(stage(), bo, (frame) => [frame, frame]);
      await goesOn(ada, bo);
      await goesOn(ada, bo);
      expect(new Set(heard(bo)).size).toBe(heard(bo).length);
      expect([unreadable(bo), bo.missing, bo.divergence]).toEqual([[], [], []]);
    });

    test.each([1, 2, 1_000_000, -1, -3])('numbered %i off are asked for again', async (offset) => {
      const { ada, bo } = await stage().pair();
      let wrong = 1;
      attackEntries(stage(), bo, (frame) =>
        wrong-- > 0 ? [{ ...frame, firstSeq: Math.max(0, frame.firstSeq + offset) }] : [frame],
      );
      await says(ada, 'numbered wrong');
      await goesOn(ada, bo);
      expect(heard(bo)).toContain('numbered wrong');
      expect([unreadable(bo), bo.missing, bo.divergence]).toEqual([[], [], []]);
    });

    test('of another group are not looked at', async () => {
      const { ada, bo } = await stage().pair();
      const other = await burgle((await stage().pair()).ada);
      const [link] = stage().hostile.linksOf(bo.client.device);
      const { group, entries } = other;
      link?.toClient({ type: 'entries', group, firstSeq: 1, entries });
      link?.toClient({ type: 'caught-up', group, headSeq: 900 });
      link?.toClient({ type: 'gap', group, firstAvailableSeq: 900 });
      await goesOn(ada, bo);
      expect([unreadable(bo), bo.missing, bo.divergence]).toEqual([[], [], []]);
    });
  });
}

function attackEntries(
  { hostile }: Stage,
  { client }: Person,
  toClient: (frame: Extract<RelayFrame, { type: 'entries' }>) => RelayFrame[],
): void {
  hostile.attack({
    victim: client.device,
    toClient: (frame) => (frame.type === 'entries' ? toClient(frame) : [frame]),
  });
}
