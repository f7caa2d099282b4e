import { forgeGroupLog, withholdMessages } from '@keytide/testkit/hostile-relay';
import { describe, expect, test } from 'vitest';
import { hurriedPorts } from './noon-ports.ts';
import { goesOn, says, until, type Stage } from './stage.ts';

/** A relay that leaves out the last messages of a quiet group, where no later message can tell. */
export function tails(stage: () => Stage): void {
  describe('a tail that is cut off', () => {
    test('is named by the heartbeat of its sender, and reported', async () => {
      await stage().clear();
      const { ada, bo } = await stage().pair(hurriedPorts());
      const { withheld } = withholdMessages(stage().hostile, bo.client.device, () => true);
      await says(ada, 'the bridge is down');
      await says(ada, 'do not come');
      await until(() => withheld.length === 2, 'the messages to be withheld');
      await until(() => bo.missing.length > 0, 'bo to hear of them');
      expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 2 }]);
      await until(() => bo.divergence.length > 0, 'the proof');
      expect(bo.divergence.map(({ device }) => device)).toEqual([ada.client.device]);
      expect(bo.failures).toEqual([]);
    });

    test('with something else in its place is another log, told at once', async () => {
      await stage().clear();
      const { ada, bo } = await stage().pair(hurriedPorts());
      forgeGroupLog(stage().hostile, bo.client.device, (entry) => [
        { ...entry, bytes: entry.bytes.map((byte, i) => (i === entry.bytes.length - 1 ? byte ^ 1 : byte)) },
      ]);
      await says(ada, 'the bridge is down');
      await until(() => bo.divergence.length > 0, 'bo to hear of another log');
      expect(bo.missing).toEqual([]);
      expect(bo.divergence.map(({ device }) => device)).toEqual([ada.client.device]);
    });

    test('that comes within half a minute was on its way, and is not reported', async () => {
      await stage().clear();
      const { ada, bo } = await stage().pair(hurriedPorts());
      const heard = bo.client.heardMs;
      const tail = withholdMessages(stage().hostile, bo.client.device, () => true);
      await says(ada, 'late');
      await until(() => bo.client.heardMs !== heard, 'a heartbeat');
      tail.release();
      await goesOn(ada, bo);
      const later = bo.client.heardMs;
      await until(() => bo.client.heardMs !== later, 'the next heartbeat');
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect([bo.missing, bo.divergence, ada.missing, ada.divergence]).toEqual([[], [], [], []]);
    });
  });
}
