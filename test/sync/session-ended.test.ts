import { expect, test } from 'vitest';
import { openStand, texts } from './stand.ts';

const HOUR_MS = 3_600_000;

test('a session that ends while an epoch is being announced is renewed, and whoever writes does not hear of it', async () => {
  let aheadMs = 0;
  const stand = await openStand({ now: () => Date.now() + aheadMs });
  try {
    const ada = await stand.found();
    await ada.collections.chat.append({ text: 'one' });
    await ada.settled();
    // With another member the next message waits for a new epoch; by then the session is over.
    await stand.admit(ada, 'bo');
    await expect.poll(() => ada.members().length, { timeout: 20_000 }).toBe(2);
    aheadMs = 7 * HOUR_MS;
    await ada.collections.chat.append({ text: 'two' });
    await ada.settled();
    expect([texts(ada), ada.epoch]).toEqual([['one', 'two'], 2]);
  } finally {
    await stand.close();
  }
});
