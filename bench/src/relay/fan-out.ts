import { processorClock } from '../clock.ts';
import { comparedRow, contestRows, percentile, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { shuffled, type Samples } from '../contest.ts';
import type { Field } from './field.ts';
import { flood, perSecond, processorRows, type Side } from './rounds.ts';

const LISTENERS = 100;
/** Messages on their way at once. */
const WINDOW = 256;
/** 40,000 deliveries a second. */
const PACE = 400;
const SLOWEST_PACE = 25;
/** Of the messages that a paced task publishes, in seconds. */
const PACED_SECONDS = 3;
/** A side that takes so much longer than it was given does not carry the rate. */
const LATE = 1.15;

const NAMES = ['keytide', 'keytide on PGlite', 'ejabberd', 'NATS JetStream', 'Mosquitto'];

/** One who publishes to a hundred: how many deliveries go through, and how long one takes at a given rate. */
export async function* benchFanOut(field: Field, options: BenchOptions): AsyncGenerator<Row[]> {
  const { note, quick, clock } = options;
  note(`a group of ${LISTENERS}: connecting`);
  const sides = await field.sides(NAMES, { groups: 1, listeners: LISTENERS });
  try {
    note(`a group of ${LISTENERS}: as much as goes through`);
    const rounds = quick ? 2 : 5;
    const shared = { groupsUsed: 1, window: WINDOW, databaseMs: field.databaseMs };
    const flooded = await flood(sides, { ...shared, rounds, roundMs: quick ? 700 : 1_500 });
    const work = {
      bench: 'relay',
      work: `1 KB to ${LISTENERS} listeners`,
      n: rounds,
      unit: 'deliveries/s',
      runtime: clock.runtime,
    };
    const samples = clock === processorClock ? flooded.processor : flooded.clock;
    const valueOf = perSecond(LISTENERS);
    const without = (names: readonly string[]): Samples =>
      Object.fromEntries(Object.entries(samples).filter(([name]) => !names.includes(name)));
    const goals = { ejabberd: 10, Mosquitto: 3.5, 'NATS JetStream': 1.3 };
    yield contestRows(work, without(['keytide on PGlite']), { ours: 'keytide', valueOf, goals });
    const embedded = { ...work, work: `${work.work}, on PGlite` };
    const besides = ['keytide', 'NATS JetStream', 'Mosquitto'];
    const onPglite = { ours: 'keytide on PGlite', valueOf, goals: { ejabberd: 3 } };
    yield contestRows(embedded, without(besides), onPglite).slice(0, 1);
    yield processorRows(work, flooded);
    note('latency at a given rate');
    yield await benchLatency(
      sides.filter(({ name }) => name === 'keytide' || name === 'Mosquitto'),
      options,
    );
  } finally {
    for (const { load } of sides) await load.close();
  }
}

/** At 40,000 deliveries a second, or at the highest half, quarter, … of it that all sides carry. */
async function benchLatency(sides: readonly Side[], { quick, note }: BenchOptions): Promise<Row[]> {
  for (let pace = PACE; pace >= SLOWEST_PACE; pace /= 2) {
    const measured = await measureLatency(sides, pace, quick ? 2 : 4);
    if (measured === null) {
      note(`${pace * LISTENERS} deliveries a second are too many here`);
      continue;
    }
    const of = (name: string): readonly number[] => measured[name] ?? [];
    const work = `median latency at ${(pace * LISTENERS).toLocaleString('en')} deliveries/s`;
    const named = (name: string): Row =>
      plainRow(
        { bench: 'relay', work: `${work}${name}`, n: of('keytide').length, unit: 'ms' },
        of(name.slice(2) || 'keytide'),
      );
    const own = named('');
    if (of('Mosquitto').length === 0) return [own];
    const ratios = of('Mosquitto').map((ms, round) => ms / (of('keytide')[round] as number));
    const ratio = percentile(
      ratios.toSorted((a, b) => a - b),
      0.5,
    );
    return [comparedRow(own, 'Mosquitto', ratio, 1 / 1.7), named(': Mosquitto')];
  }
  return [];
}

/** Medians by side, one a round; `null` when a side cannot keep up with the pace. */
async function measureLatency(sides: readonly Side[], pace: number, rounds: number): Promise<Samples | null> {
  const medians: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, load } of shuffled(sides)) {
      const task = { kind: 'paced', count: pace * PACED_SECONDS, perSecond: pace } as const;
      const { ms, medianMs } = await load.run(task);
      if (ms > PACED_SECONDS * 1000 * LATE) return null;
      if (round >= 0) (medians[name] ??= []).push(medianMs);
    }
  }
  return medians;
}
