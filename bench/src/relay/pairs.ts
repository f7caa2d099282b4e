import { processorClock } from '../clock.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import type { Field } from './field.ts';
import { flood, perSecond, processorRows, type Side } from './rounds.ts';

/** Two-member groups, and so messages on their way at once. */
const GROUPS = 64;
const INSERT = 'one INSERT a message';
const NAMES = [
  'keytide',
  INSERT,
  'one INSERT a message on 10 connections, in no order',
  'ejabberd',
  'NATS JetStream',
];

/** Groups of two: many of them at once, and one message after the other. */
export async function* benchPairs(field: Field, options: BenchOptions): AsyncGenerator<Row[]> {
  options.note(`${GROUPS} groups of two: connecting`);
  const sides = await field.sides(NAMES, { groups: GROUPS, listeners: 1 });
  try {
    options.note(`${GROUPS} groups of two: as much as goes through`);
    const goals = { ejabberd: 5, [INSERT]: 3 };
    yield await measure(field, options, sides, {
      work: `groups of two, ${GROUPS} at once`,
      groupsUsed: GROUPS,
      goals,
    });
    options.note('one message at a time');
    const few = sides.filter(({ name }) => name === 'keytide' || name === INSERT);
    yield await measure(field, options, few, {
      work: 'one at a time',
      groupsUsed: 1,
      goals: { [INSERT]: 1 },
    });
  } finally {
    for (const { load } of sides) await load.close();
  }
}

async function measure(
  { databaseMs }: Field,
  { quick, clock }: BenchOptions,
  sides: readonly Side[],
  {
    work: name,
    groupsUsed,
    goals,
  }: { work: string; groupsUsed: number; goals: Readonly<Record<string, number>> },
): Promise<Row[]> {
  const rounds = quick ? 2 : 5;
  const flooded = await flood(sides, {
    groupsUsed,
    window: 1,
    databaseMs,
    rounds,
    roundMs: quick ? 700 : 1_200,
  });
  const work = { bench: 'relay', work: name, n: rounds, unit: 'publications/s', runtime: clock.runtime };
  const samples = clock === processorClock ? flooded.processor : flooded.clock;
  return [
    ...contestRows(work, samples, { ours: 'keytide', valueOf: perSecond(1), goals }),
    ...processorRows(work, flooded),
  ];
}
