import { encodeFrameList, type RelayFrame } from '@keytide/relay-protocol';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import type { LineEnd } from '../src/line.ts';
import { dialPolled } from '../src/polled-line.ts';

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a relay that answers every poll at once is asked once a second, while nothing comes', async () => {
  const group = seededWorld({ seed: 'polled line', members: 1 }).state.everyone;
  const asked: string[] = [];
  const rests: (() => void)[] = [];
  const received: string[] = [];
  let frames: RelayFrame[] = [];
  const line = dialPolled({
    url: 'http://127.0.0.1:1/v1/organisations/a',
    group,
    ports: {
      clock: {
        now: () => 0,
        // Of a call's own time nothing passes.
        wait: (ms, signal) =>
          new Promise((resolve) => {
            signal?.addEventListener('abort', () => resolve());
            if (ms === 1_000) rests.push(resolve);
          }),
      },
      fetch: async (url) => {
        asked.push(new URL(String(url)).search);
        if (asked.length > 9) throw new TypeError('nobody asks so often');
        return new Response(encodeFrameList(frames) as Uint8Array<ArrayBuffer>);
      },
    },
  })({
    opened: () => undefined,
    received: (frame) => void received.push(frame?.type ?? 'nothing'),
    ended: () => void received.push('ended'),
  } satisfies LineEnd);
  const head = (headSeq: number): RelayFrame => ({ type: 'caught-up', group, headSeq });
  frames = [head(4)];
  line.send({ type: 'subscribe', group, afterSeq: 4 });
  await settled();
  // At once what there is, then the first that waits; it comes back empty.
  expect(asked).toEqual(['?after=4&wait=0', '?after=4&wait=15']);
  rests.shift()?.();
  await settled();
  expect(asked).toHaveLength(3);
  // What brings something is followed at once by the next.
  frames = [head(9)];
  rests.shift()?.();
  await settled();
  expect(asked.slice(3)).toEqual(['?after=4&wait=15', '?after=9&wait=15']);
  line.close();
  await settled();
  expect(asked).toHaveLength(5);
  expect(received.at(-1)).toBe('ended');
});
