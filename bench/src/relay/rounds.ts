import { shuffled, type Samples } from '../contest.ts';
import { plainRow, type Row, type Work } from '../rows.ts';
import type { FloodTask, Load, Played } from './load.ts';

/** One service with everybody who talks to it. */
export interface Side {
  readonly name: string;
  readonly load: Load;
  /** Processor time that the service has used so far, in ms. */
  readonly serviceMs: () => number;
}

/** How to let services work one after another. */
export interface FloodOptions {
  readonly groupsUsed: number;
  /** Messages of a group that are on their way at once. */
  readonly window: number;
  readonly rounds: number;
  /** How long a round is to take. */
  readonly roundMs: number;
  /** Of the database that several services use; it works for one of them at a time. */
  readonly databaseMs: () => number;
}

/** What the sides did; each list has one number a round. */
export interface Flooded {
  /** By side: ms for a thousand publications, on the clock. */
  readonly clock: Samples;
  /** The same in processor time of the service and its database. */
  readonly processor: Samples;
  /** By side, over all rounds: how much of one processor each part took. */
  readonly shares: Readonly<Record<string, Shares>>;
}

/** How much of one processor was used; two are 2. */
export interface Shares {
  readonly service: number;
  readonly database: number;
  readonly load: number;
}

const FIRST_COUNT = 64;
const PER = 1000;

/**
 * Lets each side take in and pass on as much as it can, in rounds of about the same time, in a new random order each.
 * Each finds its own number of messages while it warms up.
 */
export async function flood(sides: readonly Side[], options: FloodOptions): Promise<Flooded> {
  const clock: Record<string, number[]> = {};
  const processor: Record<string, number[]> = {};
  const totals = new Map<string, { ms: number; service: number; database: number; load: number }>();
  const counts = new Map<string, number>();
  for (let round = -2; round < options.rounds; round += 1) {
    for (const { name, load, serviceMs } of shuffled(sides)) {
      const count = counts.get(name) ?? FIRST_COUNT;
      const before = { service: serviceMs(), database: options.databaseMs() };
      const task: FloodTask = {
        kind: 'flood',
        count,
        groupsUsed: options.groupsUsed,
        window: options.window,
      };
      const played: Played = await load.run(task);
      const service = serviceMs() - before.service;
      const database = options.databaseMs() - before.database;
      counts.set(name, Math.ceil((count * options.roundMs) / played.ms));
      if (round < 0) continue;
      (clock[name] ??= []).push((played.ms / count) * PER);
      (processor[name] ??= []).push(((service + database) / count) * PER);
      const total = totals.get(name) ?? { ms: 0, service: 0, database: 0, load: 0 };
      total.ms += played.ms;
      total.service += service;
      total.database += database;
      total.load += played.processorMs;
      totals.set(name, total);
    }
  }
  const shares = [...totals].map(([name, { ms, service, database, load }]) => [
    name,
    { service: service / ms, database: database / ms, load: load / ms },
  ]);
  return { clock, processor, shares: Object.fromEntries(shares) as Record<string, Shares> };
}

/** What each side costs its service and database in processor time, by publication; and where the processors went. */
export function processorRows(work: Work, { processor, shares }: Flooded): Row[] {
  return Object.entries(processor).map(([name, samples]) => {
    const { service, database, load } = shares[name] as Shares;
    const parts = `service ${service.toFixed(2)}, database ${database.toFixed(2)}, load ${load.toFixed(2)}`;
    const named = { ...work, work: `${work.work}: ${name}, processors: ${parts}`, unit: 'µs/publication' };
    return plainRow(
      named,
      samples.map((ms) => (ms * 1000) / PER),
    );
  });
}

/** Turns ms for a thousand publications into deliveries a second. */
export function perSecond(listeners: number): (ms: number) => number {
  return (ms) => (PER / ms) * 1000 * listeners;
}
