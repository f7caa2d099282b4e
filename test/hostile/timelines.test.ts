import type { Lost } from '@keytide/client';
import { nodeRandom } from '@keytide/crypto-core/node';
import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import { decodeFrameList, encodeFrameList, type RelayFrame } from '@keytide/relay-protocol';
import type { HostileRelay } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { goesOn, openStage, until, type Person, type Stage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** The chat messages that a device shows. */
const textsOf = ({ client }: Person): string[] => client.collections.chat.read().map(({ body }) => body.text);

function lossesOf({ client }: Person): Lost[] {
  const losses: Lost[] = [];
  client.on('lost', (lost) => void losses.push(lost));
  return losses;
}

/** Gives one device another timeline with each connection; what it reads of the log before it subscribes may be changed. */
function claimTimelines(
  hostile: HostileRelay,
  victim: string,
  shown: (frames: RelayFrame[]) => RelayFrame[] = (frames) => frames,
): { readonly claims: () => number; readonly readings: () => number; stop(): void } {
  let own: Uint8Array | null = null;
  let claimed = 0;
  let readings = 0;
  const stop = hostile.attack({
    victim,
    toClient(frame) {
      if (frame.type !== 'welcome') return [frame];
      own ??= frame.timeline;
      claimed += 1;
      return [{ ...frame, timeline: nodeRandom(16) }];
    },
    toRelay: (frame) => [frame.type === 'subscribe' && own !== null ? { ...frame, timeline: own } : frame],
    async call(call, forward) {
      const named = /&timeline=([^&]*)/.exec(call.path)?.[1];
      if (own === null || named === undefined) return forward(call);
      expect(fromBase64Url(named)).toHaveLength(16);
      const answer = await forward({ ...call, path: call.path.replace(named, toBase64Url(own)) });
      if (answer.status !== 200 || !(answer.body instanceof Uint8Array)) return answer;
      readings += 1;
      return { ...answer, body: encodeFrameList(shown(decodeFrameList(answer.body))) };
    },
  });
  return { claims: () => claimed, readings: () => readings, stop };
}

/** Ends the connections of a device. */
const cuts = (person: Person): void => {
  for (const link of stage.hostile.linksOf(person.client.device)) link.cut();
};

test('another timeline with each connection: the log is read again and is the same, and nothing happens', async () => {
  await stage.clear();
  const { ada, bo } = await stage.pair();
  const [before, losses] = [textsOf(bo), lossesOf(bo)];
  const claimed = claimTimelines(stage.hostile, bo.client.device);
  for (let times = 1; times <= 3; times += 1) {
    cuts(bo);
    await until(
      () => claimed.readings() >= times && bo.client.state.kind === 'online',
      'bo to have looked again',
    );
    await goesOn(ada, bo);
  }
  expect(claimed.claims()).toBeGreaterThanOrEqual(3);
  expect(textsOf(bo)).toEqual([...before, ...textsOf(bo).slice(before.length)]);
  expect(new Set(textsOf(bo)).size).toBe(textsOf(bo).length);
  expect([losses, bo.missing, bo.divergence, ada.missing]).toEqual([[], [], [], []]);
});

test('another timeline with an end cut off: told at once, whose it was, and what was one’s own is said again', async () => {
  await stage.clear();
  const { ada, bo } = await stage.pair();
  await goesOn(ada, bo);
  const losses = lossesOf(bo);
  // The last two: one of each.
  const claimed = claimTimelines(stage.hostile, bo.client.device, (frames) =>
    frames.flatMap((frame): RelayFrame[] => {
      if (frame.type === 'entries') return [{ ...frame, entries: frame.entries.slice(0, -2) }];
      return frame.type === 'caught-up' ? [{ ...frame, headSeq: frame.headSeq - 2 }] : [frame];
    }),
  );
  cuts(bo);
  await until(() => losses.length > 0, 'bo to be told');
  claimed.stop();
  const [lost] = losses as [Lost];
  expect(lost.again).toBe(1);
  expect(lost.throughSeq - lost.seq).toBe(1);
  expect(lost.others.map(({ device, from, to }) => [device, to - from])).toEqual([[ada.client.device, 0]]);
  cuts(bo);
  await goesOn(ada, bo);
});

test('another timeline with nothing in it: what was one’s own waits for an epoch, and is said again', async () => {
  await stage.clear();
  const { ada, bo } = await stage.pair();
  await goesOn(ada, bo);
  const own = bo.client.collections.chat.read().filter(({ device }) => device === bo.client.device);
  const losses = lossesOf(bo);
  const claimed = claimTimelines(stage.hostile, bo.client.device, (frames) =>
    frames.flatMap((frame): RelayFrame[] => {
      if (frame.type === 'entries') return [];
      return frame.type === 'caught-up' ? [{ ...frame, headSeq: 0 }] : [frame];
    }),
  );
  cuts(bo);
  await until(() => losses.length > 0, 'bo to be told');
  claimed.stop();
  expect(losses[0]).toMatchObject({ seq: 1, again: own.length, notAgain: 0 });
  cuts(bo);
  // The whole log is shown again: what bo has said is there twice.
  await until(() => bo.client.waiting === 0 && bo.client.state.kind === 'online', 'bo to have said it again');
  await goesOn(ada, bo);
  for (const { body } of own) expect(textsOf(ada).filter((text) => text === body.text)).toHaveLength(2);
});
