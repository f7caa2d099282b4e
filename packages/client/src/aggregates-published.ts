import { fullPlan, type AggregatePlan, type AggregateRelease } from '@keytide/archive/aggregates';
import { toHex, type DeviceId } from '@keytide/crypto-core';
import type { PublishedPeriod } from '@keytide/key-directory';
import { isOfPlan, releaseHash, type ReleaseCollection } from './aggregates-document.ts';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';

/** What the membership log says is published of a period. */
export interface PublishedRelease {
  readonly dataset: string;
  /** In ms since 1970, from the first to before the second. */
  readonly fromMs: number;
  readonly toMs: number;
  /** What its noise costs of the budget, in thousandths. */
  readonly epsilonMilli: number;
  /** Which device published it, and by which entry of the membership log. */
  readonly author: DeviceId;
  readonly entry: number;
  /** The very release that was published; `null` where the relay does not show it. */
  readonly release: AggregateRelease | null;
}

/**
 * Everything that the organisation has published, in its order: each release is the one that the membership log names,
 * whatever the relay shows. Without a collection only what the log says. @throws ClientError `offline` until the relay was reached once, `closed`
 */
export async function publishedReleases<D extends Declarations>(
  client: Client<D>,
  collection: ReleaseCollection | null,
): Promise<readonly PublishedRelease[]> {
  const core = coreOf(client);
  const published: PublishedRelease[] = [];
  for (const { at: entry, release: hash, ...period } of core.parts.directory.state.aggregates) {
    const release = collection === null ? null : await namedRelease(core, collection, hash);
    published.push({ ...period, entry, release });
  }
  return published;
}

/**
 * What is published by this very plan; `null` where nothing is, or the relay does not show it.
 * @throws as `publishedReleases`; ArchiveError `bad-plan`
 */
export async function publishedRelease<D extends Declarations>(
  client: Client<D>,
  collection: ReleaseCollection,
  plan: AggregatePlan,
): Promise<AggregateRelease | null> {
  const core = coreOf(client);
  const full = fullPlan(plan);
  const published = periodOf(core, full);
  const release = published && (await namedRelease(core, collection, published.release));
  return release !== null && isOfPlan(release, full) ? release : null;
}

/** What the log says of this very period; `null` for nothing. For `publishRelease`. */
export function periodOf(
  core: ClientCore,
  { dataset, period: { from, to } }: AggregatePlan,
): PublishedPeriod | null {
  const isIt = (one: PublishedPeriod): boolean =>
    one.dataset === dataset && one.fromMs === from && one.toMs === to;
  return core.parts.directory.state.aggregates.find(isIt) ?? null;
}

/** The release of this hash; `null` where the relay has none, or shows something else. For `publishRelease`. */
export async function namedRelease(
  core: ClientCore,
  collection: ReleaseCollection,
  hash: PublishedPeriod['release'],
): Promise<AggregateRelease | null> {
  const release = (await collection.get(hash))?.body.release;
  const { primitives } = core.log.ports;
  return release !== undefined && toHex(releaseHash(primitives, release)) === hash ? release : null;
}
