import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encodeRelayFrame } from '@keytide/relay-protocol';
import type { HostileLink } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { noonPorts } from './noon-ports.ts';
import { goesOn, says, until, type Stage } from './stage.ts';

const MEGABYTE = 1024 * 1024;

/** A relay that sends without end makes a client neither fall over nor grow without end. */
export function floods(stage: () => Stage): void {
  describe('a flood', () => {
    test('of entries, while the client waits for something else: most are left, and asked for later', async () => {
      let receivedBytes = 0;
      class CountingWebSocket extends WebSocket {
        constructor(url: string | URL) {
          super(url);
          this.addEventListener('message', ({ data }) => {
            receivedBytes += (data as ArrayBuffer).byteLength;
          });
        }
      }
      const { ada, bo } = await stage().pair({ ...noonPorts, WebSocket: CountingWebSocket });
      const { group } = await burgle(bo);
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      stage().hostile.attack({
        victim: bo.client.device,
        call: (call, forward) => held.then(() => forward(call)),
      });
      const [link] = stage().hostile.linksOf(bo.client.device) as [HostileLink];
      link.toClient({ type: 'directory', size: 99 });
      const entries = [{ kind: 'statement' as const, bytes: new Uint8Array(MEGABYTE) }];
      const frame = encodeRelayFrame({ type: 'entries', group, firstSeq: 1_000, entries });
      const before = usedBytes();
      receivedBytes = 0;
      for (let sent = 1; sent <= 200; sent += 1) {
        link.toClient(frame);
        if (sent % 8 === 0) await until(() => receivedBytes >= sent * frame.length, 'the flood to arrive');
      }
      expect(usedBytes() - before).toBeLessThan(100 * MEGABYTE);
      await says(ada, 'in the middle of the flood');
      release();
      await goesOn(ada, bo);
      expect([bo.client.unreadable, bo.missing, bo.failures]).toEqual([[], [], []]);
    });

    test('of small frames: none is kept', async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      const [link] = stage().hostile.linksOf(bo.client.device) as [HostileLink];
      const frames = [
        encodeRelayFrame({ type: 'caught-up', group, headSeq: 1_000_000 }),
        encodeRelayFrame({ type: 'appended', requestId: 1_000_000, seqs: [1] }),
        encodeRelayFrame({ type: 'refused', requestId: 1_000_000, code: 'x' }),
        encodeRelayFrame({ type: 'pong', nonce: 1 }),
      ];
      const before = usedBytes();
      for (let sent = 0; sent < 40_000; sent += 1) {
        link.toClient(frames[sent % frames.length] as Uint8Array);
        if (sent % 1000 === 999) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await goesOn(ada, bo);
      expect(usedBytes() - before).toBeLessThan(20 * MEGABYTE);
      await until(() => bo.client.state.kind === 'online', 'bo to be online');
    });
  });
}

/** What this process holds on to once the garbage is collected. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
