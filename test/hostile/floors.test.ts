import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  fromBase64Url,
  leafHash,
  toBase64Url,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { encodeGroupEntry, type GroupEntry } from '@keytide/relay-protocol';
import type { HostileAnswer } from '@keytide/testkit/hostile-relay';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { now } from './noon-ports.ts';
import { heard, hears, openStage, says, unreadable, until, type Person, type Stage } from './stage.ts';

const DAY_MS = 86_400_000;
const clock = leapingClock(now());
const ports = clock.ports();
let stage: Stage;

beforeAll(async () => {
  stage = await openStage(clock);
});

afterEach(() => stage.clear());

afterAll(() => stage.close());

/** The group's log, as it has passed by whoever was given most of it. */
function watchLog(): GroupEntry[] {
  const log: GroupEntry[] = [];
  stage.hostile.attack({
    toClient(frame) {
      if (frame.type === 'entries')
        for (const [i, entry] of frame.entries.entries()) log[frame.firstSeq - 1 + i] = entry;
      return [frame];
    },
  });
  return log;
}

/** What a relay answers that says that a log begins at `firstSeq`: all of it true but that. */
function floorAt(log: readonly GroupEntry[], firstSeq: number, statement?: Uint8Array) {
  const before = log.slice(0, firstSeq - 1);
  const tree = before.reduce(
    (frontier, entry) => appendLeaf(primitives, frontier, leafHash(primitives, encodeGroupEntry(entry))),
    EMPTY_FRONTIER,
  );
  const newest = before.findLast(({ kind }) => kind === 'statement') as GroupEntry;
  return {
    firstSeq,
    statement: toBase64Url(statement ?? newest.bytes),
    frontier: toBase64Url(concatBytes(...tree.hashes)),
  };
}

/** Shows nothing of the log below a seq, and answers for it. */
function claimFloor(
  log: readonly GroupEntry[],
  firstSeq: number,
  claim: { statement?: Uint8Array; victim?: string },
) {
  return stage.hostile.attack({
    ...(claim.victim === undefined ? {} : { victim: claim.victim }),
    toClient(frame) {
      if (frame.type !== 'entries' || frame.firstSeq >= firstSeq) return frame.type === 'gap' ? [] : [frame];
      const entries = frame.entries.slice(firstSeq - frame.firstSeq);
      const gap = { type: 'gap', group: frame.group, firstAvailableSeq: firstSeq } as const;
      return entries.length === 0 ? [gap] : [gap, { ...frame, firstSeq, entries }];
    },
    call: async (call, forward) =>
      call.path.endsWith('/floor')
        ? { status: 200, body: floorAt(log, firstSeq, claim.statement) }
        : await forward(call),
  });
}

/** Lets every answer about a floor pass through `change`. */
function onFloor(
  change: (body: Record<string, string | number>) => unknown,
  first?: () => Promise<void>,
): void {
  let isFirst = true;
  stage.hostile.attack({
    async call(call, forward) {
      if (!call.path.endsWith('/floor')) return await forward(call);
      if (isFirst) await first?.();
      isFirst = false;
      const answer: HostileAnswer = await forward(call);
      return { ...answer, body: change(answer.body as Record<string, string | number>) };
    },
  });
}

/** Ada, who has said something on each of eight days, at a relay that keeps four; and what passed by. */
async function eightDays(): Promise<{ ada: Person; log: GroupEntry[] }> {
  const log = watchLog();
  const ada = await stage.found(ports);
  const times = { blockSeconds: 86_400, retentionSeconds: 2 * 86_400, exportSeconds: 4 * 86_400 };
  await ada.client.setPolicy((policy) => ({ ...policy, ...times }));
  for (let day = 0; day < 8; day += 1) {
    if (day > 0) clock.leap(DAY_MS);
    await says(ada, `day ${day}`);
    await ada.client.settled();
  }
  expect(await stage.relay.forget()).toBe(true);
  return { ada, log };
}

describe('a relay that says that it has forgotten', () => {
  test('what is not over: withheld, found, and refused with the statement that shows it', async () => {
    const log = watchLog();
    const { ada, bo } = await stage.pair(ports);
    await bo.client.close();
    for (const text of ['one', 'two', 'three']) await says(ada, text);
    await ada.client.settled();
    await until(() => log.length >= 6, 'the log to pass by');
    const relent = claimFloor(log, log.length, { victim: bo.client.device });
    const again = await stage.reopen(bo, ports);
    await until(() => again.failures.length > 0, 'bo to notice');
    const [{ code, evidence }] = again.failures as [Person['failures'][0]];
    expect(code).toBe('relay-misbehaved');
    expect(evidence).toEqual([log.findLast(({ kind }) => kind === 'statement')?.bytes]);
    expect(heard(again)).not.toContain('three');
    relent();
    for (const text of ['one', 'two', 'three']) await hears(again, text);
    expect(unreadable(again)).toEqual([]);
  });

  test('what is over, and another log than there was: told with the first word of a member', async () => {
    const { ada } = await eightDays();
    onFloor(({ frontier, ...body }) => {
      const bytes = fromBase64Url(frontier as string) as Uint8Array;
      bytes[0] = (bytes[0] as number) ^ 1;
      return { ...body, frontier: toBase64Url(bytes) };
    });
    const cy = await stage.admit(ada, 'cy', { ports });
    await talks(ada, () => cy.client.divergence !== null);
    expect(cy.client.divergence?.device).toBe(ada.client.device);
  });

  test('an epoch, and names the one before it: nothing behind it is believed', async () => {
    const { ada, log } = await eightDays();
    const statements = log.flatMap(({ kind }, i) => (kind === 'statement' ? [i + 1] : []));
    // What the older one's day has left is over; the one between is hidden.
    const [older = 0, , next = 0] = statements.slice(3);
    claimFloor(log, next, { statement: (log[older - 1] as GroupEntry).bytes });
    const cy = await stage.admit(ada, 'cy', { ports });
    const isRefused = (): boolean => unreadable(cy).filter((code) => code === 'tampered').length > 5;
    await talks(ada, isRefused);
    expect(heard(cy)).toEqual([]);
    expect(new Set(unreadable(cy))).toEqual(new Set(['expired-by-policy', 'tampered']));
  });

  test('more than it said a moment ago, for a day was over meanwhile: nobody is accused', async () => {
    const { ada } = await eightDays();
    clock.leap(DAY_MS);
    await says(ada, 'day 8');
    await ada.client.settled();
    let [gap, floor] = [0, 0];
    stage.hostile.attack({
      toClient(frame) {
        if (frame.type === 'gap') gap ||= frame.firstAvailableSeq;
        return [frame];
      },
    });
    onFloor(
      (body) => {
        floor = body['firstSeq'] as number;
        return body;
      },
      async () => expect(await stage.relay.forget()).toBe(true),
    );
    const cy = await stage.admit(ada, 'cy', { ports });
    await talks(ada, () => heard(cy).includes('word'));
    expect(floor).toBeGreaterThan(gap);
    expect(gap).toBeGreaterThan(1);
    expect(cy.client.unreadable[0]).toMatchObject({ seq: 1, throughSeq: floor - 1 });
    for (const { missing, divergence } of [ada, cy]) expect([missing, divergence]).toEqual([[], []]);
    expect(cy.failures.map(({ code }) => code)).not.toContain('relay-misbehaved');
  });
});

/** Says the same until it has its effect: after a leap of the clock she has to connect again, and may not know it yet. */
async function talks(ada: Person, condition: () => boolean): Promise<void> {
  for (let words = 0; !condition() && words < 100; words += 1) {
    await says(ada, 'word');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(condition()).toBe(true);
}
