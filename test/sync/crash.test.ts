import { seededRandom } from '@keytide/testkit';
import { nodePorts } from '@keytide/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashingStore } from './crashing-store.ts';
import { openStand, texts, type Stand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

const SEED = 'crashes 1';

test('a process killed at any moment loses nothing that was written, and shows nothing twice', async () => {
  console.log(`crashes: seed ${SEED}`);
  const random = seededRandom(SEED);
  const below = (end: number): number => (end === 0 ? 0 : (random(1)[0] as number) % end);
  const ada = await stand.found();
  let store = crashingStore();
  await (await stand.admit(ada, 'bo', undefined, store)).close();
  const wrote: string[] = [];
  for (let round = 0; round < 12; round += 1) {
    // The process that is killed goes on talking to nobody: its network is gone with it.
    let isDead = false;
    class MortalWebSocket extends WebSocket {
      override send(data: Parameters<WebSocket['send']>[0]): void {
        if (!isDead) super.send(data);
      }
    }
    const bo = await stand.open(store, { ...nodePorts, WebSocket: MortalWebSocket });
    if (round % 3 !== 2) await bo.online();
    for (let n = 0; n < 5; n += 1) {
      const text = `round ${round} message ${n}`;
      await bo.collections.chat.append({ text });
      wrote.push(text);
      await ada.collections.chat.append({ text: `ada ${round} ${n}` });
    }
    await new Promise((resolve) => setTimeout(resolve, below(40)));
    isDead = true;
    const killed = store.crash((unsafe) => below(unsafe + 1));
    store = killed;
    await bo.close();
  }
  const bo = await stand.open(store);
  await bo.settled();
  await ada.settled();
  await bo.online();
  const own = (all: string[]): string[] => all.filter((text) => text.startsWith('round'));
  await expect.poll(() => texts(ada).length, { timeout: 20_000 }).toBe(120);
  await expect.poll(() => texts(bo), { timeout: 20_000 }).toEqual(texts(ada));
  expect(own(texts(ada))).toEqual(wrote);
  expect([ada.unreadable, bo.unreadable, ada.missing, bo.missing]).toEqual([[], [], [], []]);
}, 60_000);
