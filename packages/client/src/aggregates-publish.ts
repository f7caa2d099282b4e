import {
  ArchiveError,
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
import { createAggregatesEntry, DirectoryError, type PublishedPeriod } from '@keytide/key-directory';
import { assertPublishable, isOfPlan, releaseHash, type ReleaseCollection } from './aggregates-document.ts';
import { aggregateLedgerIn } from './aggregates-ledger.ts';
import { namedRelease, periodOf } from './aggregates-published.ts';
import { appendEntry } from './append-entry.ts';
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

/**
 * Publishes numbers about records, once for each period: enters the release in the membership log, where the rules refuse
 * a second one on every device, and then gives it to the relay. The records stay here. Whoever asks with the same plan
 * again gets what is published, whatever the records say by now. For admins. Broken off, the same call goes on.
 * @throws ArchiveError `bad-plan`, `undeclared-value`, `period-open`, `already-published`, `budget-spent`; ClientError
 *   `too-large` (declare less in one plan), `offline`, `relay-refused`, `unwitnessed`, `closed`; DirectoryError
 *   `not-permitted`
 */
export async function publishRelease<D extends Declarations>(
  client: Client<D>,
  { plan: given, records, collection }: ReleaseToPublish,
): Promise<AggregateRelease> {
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
  const before = periodOf(core, plan);
  if (before !== null) return await publishedBefore(core, before, { plan, collection, make });

  const { release, ledger } = make();
  assertPublishable(release);
  const { primitives } = core.log.ports;
  const hash = releaseHash(primitives, release);
  const cost = ledger.releases.find(({ from }) => from === period.from)?.epsilonMilli ?? 0;
  const entered = { dataset, fromMs: period.from, toMs: period.to, epsilonMilli: cost, release: hash };
  // With noise nobody can make it again: it is here before the log names it.
  await keep(core, toHex(hash), encodeCbor(release as unknown as CborValue));
  try {
    await appendEntry(core.log, (context) => ({
      wire: createAggregatesEntry({ ...context, aggregates: entered }),
    }));
  } catch (error) {
    // Without a word of the relay it may be in the log; what the rules refuse is not.
    if (error instanceof DirectoryError) await keep(core, toHex(hash), null);
    if (!(error instanceof DirectoryError) || error.code !== 'already-published') throw error;
    const first = periodOf(core, plan);
    if (first === null) throw alreadyPublished(error);
    return await publishedBefore(core, first, { plan, collection, make });
  }
  return await show(core, toHex(hash), release, collection);
}

interface Again {
  readonly plan: FullPlan;
  readonly collection: ReleaseCollection;
  readonly make: () => PublishedAggregates;
}

/** What is published, if it was by the same plan. @throws ArchiveError `already-published` */
async function publishedBefore(
  core: ClientCore,
  { release: hash }: PublishedPeriod,
  { plan, collection, make }: Again,
): Promise<AggregateRelease> {
  await collection.pull();
  const shown = await namedRelease(core, collection, hash);
  const remade = (): AggregateRelease | null => (plan.epsilonMilli === undefined ? make().release : null);
  const release = shown ?? (await kept(core, hash)) ?? remade();
  const isNamed = release !== null && toHex(releaseHash(core.log.ports.primitives, release)) === hash;
  if (!isNamed || !isOfPlan(release, plan)) throw alreadyPublished();
  return shown ?? (await show(core, hash, release, collection));
}

async function show(
  core: ClientCore,
  hash: string,
  release: AggregateRelease,
  collection: ReleaseCollection,
): Promise<AggregateRelease> {
  await collection.put(hash, { release });
  await keep(core, hash, null);
  return release;
}

/** `aggregates/HASH` in the key store: CBOR, a release that the log may name and the relay may not have. */
function keep(core: ClientCore, hash: string, value: Uint8Array | null): Promise<void> {
  return core.store.keys.write([{ name: `aggregates/${hash}`, value }]);
}

async function kept(core: ClientCore, hash: string): Promise<AggregateRelease | null> {
  const value = await core.store.keys.get(`aggregates/${hash}`);
  return value === null ? null : parseRelease(decodeCbor(value, MAX_BYTES));
}

function alreadyPublished(cause?: unknown): ArchiveError {
  return new ArchiveError('already-published', 'a part of the period is published, and is what it is', {
    cause,
  });
}
