import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import type { RelayOptions } from '@keytide/server-relay';
import { startRedis } from '../../../test/faults/redis.ts';
import { plainRow, type BenchOptions, type Row } from '../rows.ts';
import type { Field } from './field.ts';
import { makeGroups, startRelayProcess, type RelayProcess } from './keytide.ts';
import { openLoad, type Load } from './load.ts';
import { processorTimeOf } from './processor.ts';
import { flood, perSecond, type Shares } from './rounds.ts';

const MOST = 3;
const GROUPS = 16;
const LISTENERS = 24;
const WINDOW = 16;
/** The name that all have. */
const PUBLIC_URL = 'http://relay.example';

/** One, two and three relays on one PostgreSQL, behind one name: what goes through, and what it is that is full. */
export async function* benchNodes(field: Field, options: BenchOptions): AsyncGenerator<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  const redis = await startRedis();
  try {
    const url = await field.postgres.createDatabase('nodes');
    // As an operator hands them out.
    const keyFile = join(folder, 'relay-key');
    for (const file of [keyFile, `${keyFile}.data`]) await writeFile(file, random(32), { mode: 0o600 });
    const redisUrl = `redis://127.0.0.1:${redis.port}`;
    const database = { kind: 'postgres', url, keyFile, cluster: { redisUrl } } as const;
    for (let count = 1; count <= MOST; count += 1) yield await measure(field, options, database, count);
  } finally {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  { databaseMs }: Field,
  { quick, note, clock }: BenchOptions,
  database: RelayOptions['database'],
  count: number,
): Promise<Row[]> {
  note(`nodes: ${count}`);
  const nodes: RelayProcess[] = [];
  let load: Load | null = null;
  try {
    while (nodes.length < count) nodes.push(await startRelayProcess({ database, publicUrl: PUBLIC_URL }));
    const [first] = nodes as [RelayProcess];
    const groups = await makeGroups(first, { groups: GROUPS, listeners: 1 });
    const urls = nodes.map((node) => node.url);
    load = await openLoad({ kind: 'keytide', urls, groups }, { groups: GROUPS, listeners: LISTENERS });
    const times = nodes.map(({ pid }) => processorTimeOf(pid));
    const serviceMs = (): number => times.reduce((sum, time) => sum + time(), 0);
    const name = 'nodes';
    const rounds = quick ? 2 : 4;
    const { clock: samples, shares } = await flood([{ name, load, serviceMs }], {
      groupsUsed: GROUPS,
      window: WINDOW,
      databaseMs,
      rounds,
      roundMs: quick ? 700 : 1_500,
    });
    const work = `${count} ${count === 1 ? 'node' : 'nodes'}: ${GROUPS} groups of ${LISTENERS}; full: ${fullest(shares[name] as Shares)}`;
    return [
      plainRow(
        { bench: 'relay', work, n: rounds, unit: 'deliveries/s', runtime: clock.runtime },
        (samples[name] as readonly number[]).map(perSecond(LISTENERS)),
      ),
    ];
  } finally {
    await load?.close();
    for (const node of nodes) await node.stop();
  }
}

/** Where the processors went, the most first: of two, on a machine that does nothing else. */
function fullest({ service, database, load }: Shares): string {
  return Object.entries({ nodes: service, PostgreSQL: database, 'the load': load })
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, share]) => `${name} ${share.toFixed(2)}`)
    .join(', ');
}
