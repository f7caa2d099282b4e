import {
  approveEntry,
  createAggregatesEntry,
  createPolicyChange,
  parseEntry,
  replay,
  withApprovals,
  type BodyOf,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, expect, test } from 'vitest';
import { forge, HOUR_MS, refusal } from '../forge.ts';

const DAY_MS = 24 * HOUR_MS;
let world = seededWorld({ seed: 'aggregates', members: 3, admins: 2 });
let admin: SeededDevice;
let second: SeededDevice;
let member: SeededDevice;
/** The beginning of a day, a week before the newest entry. */
let start: number;

beforeEach(() => {
  world = seededWorld({ seed: 'aggregates', members: 3, admins: 2 });
  [admin, second, member] = (world.members as readonly SeededMember[]).map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  start = Math.floor(world.clock.now() / DAY_MS) * DAY_MS - 7 * DAY_MS;
});

/** Days of the week before. */
const days = (
  from: number,
  to: number,
  other: Partial<BodyOf<'aggregates'>> = {},
): Omit<BodyOf<'aggregates'>, 'kind'> => ({
  ...{ dataset: 'requests', fromMs: start + from * DAY_MS, toMs: start + to * DAY_MS },
  ...{ epsilonMilli: 0, release: new Uint8Array(32).fill(from) },
  ...other,
});
const publish = (...of: Parameters<typeof days>): void => {
  world.append(createAggregatesEntry({ ...world.as(admin), aggregates: days(...of) }));
};
const codeOf = (author: SeededDevice, ...of: Parameters<typeof days>): string | null =>
  refusal(world, forge(world, author, { kind: 'aggregates', ...days(...of) }));

test('what is published of a period is published once, whoever says it', () => {
  publish(2, 4);
  expect(world.state.aggregates).toEqual([
    {
      ...{ dataset: 'requests', fromMs: start + 2 * DAY_MS, toMs: start + 4 * DAY_MS, epsilonMilli: 0 },
      ...{ release: '02'.repeat(32), at: world.state.size - 1, author: admin.id },
    },
  ]);
  for (const [from, to] of [
    [2, 4],
    [1, 3],
    [3, 5],
    [0, 7],
    [2, 3.25],
  ] as const)
    for (const author of [admin, second]) expect(codeOf(author, from, to)).toBe('already-published');
  // The same hash again does not stand in for what was there.
  expect(codeOf(second, 2, 3, { release: new Uint8Array(32).fill(9) })).toBe('already-published');
  expect(codeOf(second, 0, 2)).toBe(null);
  expect(codeOf(second, 4, 5)).toBe(null);
  expect(codeOf(second, 2, 4, { dataset: 'incidents' })).toBe(null);
});

test('takes an admin, and a period that is over', () => {
  expect(codeOf(member, 2, 4)).toBe('not-permitted');
  expect(codeOf(admin, 6, 9)).toBe('period-open');
  expect(codeOf(admin, 2, 4, { epsilonMilli: -1 })).toBe('malformed');
});

test.each<[string, number, number]>([
  ['none', 4, 4],
  ['less than a day', 4, 4 + 22 / 24],
  ['more than five years', -1825, 4],
  ['from the middle of a minute', 3 + 1 / 86_400, 5],
  ['to the middle of an hour', 3, 5 + 20 / 1440],
])('a period of %s is none that numbers are published of', (_, from, to) => {
  expect(codeOf(admin, from, to)).toBe('malformed');
});

test.each<[string, number, number]>([
  ['a day on which clocks are put forward', 4, 4 + 23 / 24],
  ['five years', -1824, 4],
  ['days from a quarter of an hour', 3 + 1 / 96, 5],
])('a period of %s is one', (_, from, to) => {
  expect(codeOf(admin, from, to)).toBe(null);
});

test('where exports take several admins, publishing does', () => {
  const approvals = { export: 2 };
  world.append(createPolicyChange({ ...world.as(admin), policy: { ...world.state.policy, approvals } }));
  expect(codeOf(admin, 2, 4)).toBe('approval-needed');
  const context = { ...world, state: world.state };
  const wire = createAggregatesEntry({ ...world.as(admin), aggregates: days(2, 4), asProposal: true });
  expect(() => approveEntry({ ...context, wire, signer: member.signer })).toThrow(
    expect.objectContaining({ code: 'bad-approval' }),
  );
  const approval = approveEntry({ ...context, wire, signer: second.signer });
  // What was approved is this release, of this time.
  const other = createAggregatesEntry({ ...world.as(admin), aggregates: days(2, 5), asProposal: true });
  expect(() => withApprovals({ ...context, wire: other }, [approval])).toThrow(
    expect.objectContaining({ code: 'bad-signature' }),
  );
  world.append(withApprovals({ ...context, wire }, [approval]));
  expect(world.state.aggregates).toMatchObject([{ fromMs: start + 2 * DAY_MS, author: admin.id }]);
});

test('noise is spent from the budget of the stretch in which its period begins', () => {
  expect(codeOf(admin, 2, 4, { epsilonMilli: 1 })).toBe('budget-spent');
  const stretch = Math.floor(start / (7 * DAY_MS)) * 7 * DAY_MS + 7 * DAY_MS;
  const first = (stretch - start) / DAY_MS;
  const privacyBudget = { epsilonMilli: 1000, periodSeconds: 7 * 86_400 };
  world.append(createPolicyChange({ ...world.as(admin), policy: { ...world.state.policy, privacyBudget } }));
  world.clock.advance(7 * DAY_MS);
  publish(first, first + 1, { epsilonMilli: 600 });
  publish(first - 1, first, { epsilonMilli: 600 });
  expect(codeOf(second, first + 1, first + 2, { epsilonMilli: 401 })).toBe('budget-spent');
  expect(codeOf(second, first + 1, first + 2, { epsilonMilli: 400 })).toBe(null);
  expect(codeOf(second, first + 1, first + 2, { epsilonMilli: 401, dataset: 'incidents' })).toBe(null);
  expect(codeOf(second, first + 1, first + 2)).toBe(null);
});

test('a log with it says the same after it was read again', () => {
  publish(2, 4, { epsilonMilli: 0 });
  const { body } = parseEntry(world.primitives, world.wires.at(-1) as Uint8Array);
  expect(body).toEqual({ kind: 'aggregates', ...days(2, 4) });
  expect(replay(world.primitives, world.wires).aggregates).toEqual(world.state.aggregates);
});
