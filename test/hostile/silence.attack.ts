import { describe, expect, test } from 'vitest';
import { hurriedPorts, noonPorts } from './noon-ports.ts';
import { failureCodes, goesOn, hears, says, until, type Stage } from './stage.ts';

/** A relay that is slow, or that is there and says nothing. */
export function silentRelays(stage: () => Stage): void {
  test('a slow relay: everything arrives, in order, once', async () => {
    const { ada, bo } = await stage().pair();
    const slowly = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const relent = stage().hostile.attack({
      toClient: (frame) => slowly(60).then(() => [frame]),
      toRelay: (frame) => slowly(60).then(() => [frame]),
      call: (call, forward) => slowly(120).then(() => forward(call)),
    });
    await Promise.all([goesOn(ada, bo), goesOn(ada, bo)]);
    await stage().admit(ada, 'cy');
    await goesOn(ada, bo);
    relent();
    expect([ada.failures, bo.failures, bo.missing, bo.divergence]).toEqual([[], [], [], []]);
  });

  describe('a half-open connection', () => {
    test('is given up, and what was written into it is sent again', async () => {
      const { ada, bo } = await stage().pair(hurriedPorts());
      for (const link of stage().hostile.linksOf(ada.client.device)) link.freeze();
      await says(ada, 'into the void');
      await hears(bo, 'into the void');
      expect(failureCodes(ada)).toEqual(['offline']);
      await goesOn(ada, bo);
    });

    test('that never says welcome is given up too, and can be closed meanwhile', async () => {
      const { ada, bo } = await stage().pair(hurriedPorts());
      let mute = true;
      stage().hostile.attack({
        victim: ada.client.device,
        toClient: (frame) => (mute ? [] : [frame]),
      });
      for (const link of stage().hostile.linksOf(ada.client.device)) link.cut();
      await until(() => ada.failures.length > 1, 'ada to give up');
      expect(failureCodes(ada)).toEqual(['offline']);
      const again = await stage().reopen(ada);
      mute = false;
      await again.client.online();
      await goesOn(again, bo);
    });

    test('whose pings are answered and whose messages are not is given up', async () => {
      const { ada, bo } = await stage().pair(hurriedPorts());
      let deaf = true;
      stage().hostile.attack({
        victim: ada.client.device,
        toRelay: (frame) => (deaf && frame.type === 'append' ? [] : [frame]),
      });
      await says(ada, 'is anybody listening');
      await until(() => ada.failures.length > 0, 'ada to give up');
      expect(failureCodes(ada)).toEqual(['relay-misbehaved']);
      deaf = false;
      await hears(bo, 'is anybody listening');
      await goesOn(ada, bo);
    });
  });

  test('an HTTP call that is never answered is given up, and made again', async () => {
    const { ada, bo } = await stage().pair(hurriedPorts());
    let calls = 0;
    stage().hostile.attack({
      victim: bo.client.device,
      call: (call, forward) => (calls++ === 0 ? new Promise(() => {}) : forward(call)),
    });
    for (const link of stage().hostile.linksOf(bo.client.device)) link.cut();
    await until(() => calls > 1, 'bo to ask again');
    expect(failureCodes(bo)).toEqual(['offline']);
    await goesOn(ada, bo);
  });

  describe('HTTP answers that are no answers', () => {
    test('an answer without end is left when it is longer than any true one', async () => {
      let megabytes = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          megabytes += 1;
          controller.enqueue(new Uint8Array(1_048_576).fill(0x20));
          if (megabytes === 200) controller.close();
        },
      });
      const bodies = [endless];
      const ports = {
        ...noonPorts,
        async fetch(input: string | URL | Request, init?: RequestInit) {
          const isLog = String(input).includes('/log?');
          const body = isLog ? bodies.pop() : undefined;
          return body === undefined ? await fetch(input, init) : new Response(body);
        },
      };
      const ada = await stage().found(ports);
      expect(bodies).toEqual([]);
      expect(megabytes).toBeLessThan(10);
      await goesOn(ada, await stage().admit(ada, 'bo'));
    });

    test.each<[string, number, string]>([
      ['a page of whoever owns the network', 200, '<html>Welcome to the airport</html>'],
      ['a page that says no', 403, '<html>Forbidden</html>'],
      ['an error of a proxy', 502, 'Bad gateway'],
      ['JSON of another kind', 200, '{"entries":"none","size":-1}'],
      ['JSON without end', 200, '['.repeat(100_000)],
      ['more than any answer holds', 200, `"${'x'.repeat(30_000_000)}"`],
    ])('%s: passes, and the conversation goes on', async (_, status, text) => {
      const { ada, bo } = await stage().pair();
      const relent = stage().hostile.attack({
        victim: bo.client.device,
        call: async () => ({ status, body: new TextEncoder().encode(text) }),
      });
      for (const link of stage().hostile.linksOf(bo.client.device)) link.cut();
      await until(() => bo.failures.length > 1, 'bo to be answered');
      expect(bo.client.state.kind).not.toBe('stopped');
      relent();
      await goesOn(ada, bo);
    });
  });
}
