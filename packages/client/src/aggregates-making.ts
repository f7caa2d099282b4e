import {
  ArchiveError,
  costOf,
  fullPlan,
  parseRelease,
  publishAggregates,
  type AggregatePlan,
  type AggregateRecord,
  type AggregateRelease,
  type FullPlan,
  type PublishedAggregates,
} from '@keytide/archive/aggregates';
import { decodeCbor, encodeCbor, toHex, type CborValue } from '@keytide/crypto-core';
import type { BodyOf } from '@keytide/key-directory';
import { assertPublishable, releaseHash, type ReleaseCollection } from './aggregates-document.ts';
import { aggregateLedgerIn } from './aggregates-ledger.ts';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';

/** What is published, of what, and where to. */
export interface ReleaseToPublish {
  /** Its dataset is the name of a collection. */
  readonly plan: AggregatePlan;
  /** All records of the collection that are in the period, with the fields that the plan names. */
  readonly records: Iterable<AggregateRecord>;
  /** What the application declared with `releases()`. */
  readonly collection: ReleaseCollection;
}

const MAX_BYTES = 65_536;

/** What publishing and proposing begin with. */
export interface Prepared {
  readonly core: ClientCore;
  readonly plan: FullPlan;
  readonly make: () => PublishedAggregates;
}

/** @throws as `publishRelease` */
export async function preparing<D extends Declarations>(
  client: Client<D>,
  { plan: given, records }: Omit<ReleaseToPublish, 'collection'>,
): Promise<Prepared> {
  const core = coreOf(client);
  core.sync.assertNotOver();
  const plan = fullPlan(given);
  const { dataset, period } = plan;
  if (!core.collections.has(dataset))
    throw new ArchiveError('bad-plan', 'dataset: not the name of a collection of this application');
  await core.log.pullDirectory();
  const make = (): PublishedAggregates => {
    const ledger = aggregateLedgerIn(core.parts.directory.state, dataset);
    // What is made once more is of a period that is in there.
    const releases = ledger.releases.filter(({ from, to }) => from !== period.from || to !== period.to);
    const { random } = core.log.ports;
    return publishAggregates({
      ...{ plan, records, random, nowMs: core.parts.time.now() },
      ledger: { ...ledger, releases },
    });
  };
  return { core, plan, make };
}

/** A new release, and what the log is to say of it. With noise nobody can make it again: it is here before the log names it. */
export async function keptRelease(
  core: ClientCore,
  plan: FullPlan,
  make: () => PublishedAggregates,
): Promise<{ release: AggregateRelease; entered: Omit<BodyOf<'aggregates'>, 'kind'> }> {
  const { release } = make();
  assertPublishable(release);
  const hash = releaseHash(core.log.ports.primitives, release);
  await keep(core, toHex(hash), encodeCbor(release as unknown as CborValue));
  const { dataset, period } = plan;
  return {
    release,
    entered: { dataset, fromMs: period.from, toMs: period.to, epsilonMilli: costOf(plan), release: hash },
  };
}

/** Gives the relay a release that the log names, and keeps it no longer. */
export async function show(
  core: ClientCore,
  hash: string,
  release: AggregateRelease,
  collection: ReleaseCollection,
): Promise<AggregateRelease> {
  await collection.put(hash, { release });
  await keep(core, hash, null);
  for (const name of await core.store.keys.names('aggregates/')) {
    // Of the same time, proposed and never entered.
    const other = await kept(core, name.slice('aggregates/'.length));
    if (other !== null && isOfPeriod(other, release)) await core.store.keys.write([{ name, value: null }]);
  }
  return release;
}

function isOfPeriod({ plan: a }: AggregateRelease, { plan: b }: AggregateRelease): boolean {
  return a.dataset === b.dataset && a.period.from < b.period.to && b.period.from < a.period.to;
}

/** `aggregates/HASH` in the key store: CBOR, a release that the log may name and the relay may not have. */
export function keep(core: ClientCore, hash: string, value: Uint8Array | null): Promise<void> {
  return core.store.keys.write([{ name: `aggregates/${hash}`, value }]);
}

/** The release of this hash that this device keeps. */
export async function kept(core: ClientCore, hash: string): Promise<AggregateRelease | null> {
  const value = await core.store.keys.get(`aggregates/${hash}`);
  return value === null ? null : parseRelease(decodeCbor(value, MAX_BYTES));
}

/** Of a part of the period there are numbers. */
export function alreadyPublished(cause?: unknown): ArchiveError {
  return new ArchiveError('already-published', 'a part of the period is published, and is what it is', {
    cause,
  });
}
