import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { dial, greet } from './line.ts';
import { relayUnderTest, settle } from './relay-under-test.ts';

test('a peer that no longer answers pings is cut off; one that does stays', async () => {
  const world = seededWorld({ seed: 'half open', members: 1 });
  const pingMs = 250;
  const relay = await relayUnderTest({ clock: world.clock, limits: { pingMs, helloMs: 60_000 } });
  try {
    const token = await settle(relay, world);
    const good = await greet(relay, token);
    const dead = await greet(relay, token, { autoPong: false });
    const silent = await dial(relay, { autoPong: false });
    expect(await dead.ended).toBe(1006);
    expect(await silent.ended).toBe(1006);
    await new Promise((resolve) => setTimeout(resolve, 4 * pingMs));
    const reasons = relay.events.flatMap((event) => (event.event === 'socket-closed' ? [event.reason] : []));
    expect(reasons).toEqual(['half-open', 'half-open']);
    expect(good.socket.readyState).toBe(good.socket.OPEN);

    const closing = relay.close();
    expect(await good.ended).toBe(1001);
    await closing;
    await expect(dial(relay)).rejects.toThrow('ECONNREFUSED');
  } finally {
    await relay.close();
  }
});
