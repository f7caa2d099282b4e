import fc from 'fast-check';
import { ADA, BO, CY, idOf, type Sent } from './record-world.ts';

const MEMBERS = [ADA, BO, CY];
const ROLES = ['admin', 'member', 'exporter'] as const;
/** The records that there may be. */
export const IDS: readonly string[] = [idOf(ADA, 1), idOf(BO, 2), idOf(CY, 3)];

const value = fc.record(
  {
    title: fc.constantFrom<unknown>('', 'x', 'y', 7),
    status: fc.constantFrom<unknown>('open', 'done', 'lost'),
    note: fc.constantFrom<unknown>('n', 'm', null),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const whole = fc.record(
  { title: fc.constantFrom('x', 'y'), status: fc.constantFrom('open', 'done'), note: fc.constant('n') },
  { requiredKeys: ['title', 'status'], noNullPrototype: true },
);
const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('create' as const), body: whole }) },
  { weight: 6, arbitrary: fc.record({ act: fc.constant('edit' as const), body: value }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), body: fc.constant({}) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('create', 'remove', 'append'), body: value }) },
);

/** A group's log: who did what with which role, by clocks that nobody can rely on. Roles change on the way. */
export const log: fc.Arbitrary<Sent[]> = fc
  .array(
    fc.record({
      act,
      item: fc.constantFrom(...IDS, ...IDS, 'no id'),
      time: fc.record({ ms: fc.nat(4), counter: fc.nat(1) }),
      by: fc.nat(2),
      second: fc.boolean(),
      role: fc.constantFrom(...ROLES),
    }),
    { maxLength: 14 },
  )
  .map((lines) =>
    lines.map(({ act: { act: name, body }, item, time, by, second, role }, index) => {
      const member = MEMBERS[by] as string;
      const device = `${member.slice(0, 1)}${second ? 2 : 1}`;
      return {
        operation: { act: name, collection: 'requests', item, time, body },
        origin: { seq: index + 1, epoch: epochAt(index), device, member, role, handle: '', timeMs: time.ms },
      };
    }),
  );

/** An epoch is over after every fourth operation. */
function epochAt(index: number): number {
  return 1 + Math.floor(index / 4);
}
