import { costOf, fullPlan, type AggregatePlan, type AggregateRelease } from '@keytide/archive/aggregates';
import { toHex, type DeviceId, type Primitives } from '@keytide/crypto-core';
import type { PublishedPeriod } from '@keytide/key-directory';
import { isOfPlan, releaseHash, type ReleaseCollection } from './aggregates-document.ts';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';

/**
 * `not-shown`: the relay does not have the release that the log names. `other-release`: it has, and who published it has
 * entered another dataset, period or cost in the log than the release has.
 */
export type ReleaseProblem = 'not-shown' | 'other-release';

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
  /** The very release that was published; `null` where there is a `problem`, or nobody asked for it. */
  readonly release: AggregateRelease | null;
  /** Why there is none to be believed; `null` where there is, or nobody asked. */
  readonly problem: ReleaseProblem | null;
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
  for (const one of core.parts.directory.state.aggregates) {
    const { at: entry, release: _, ...period } = one;
    const found =
      collection === null ? { release: null, problem: null } : await namedRelease(core, collection, one);
    published.push({ ...period, entry, ...found });
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
  const release = published === null ? null : (await namedRelease(core, collection, published)).release;
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

/** The release that an entry names, or why there is none to be believed. For `publishRelease`. */
export async function namedRelease(
  core: ClientCore,
  collection: ReleaseCollection,
  published: PublishedPeriod,
): Promise<Pick<PublishedRelease, 'release' | 'problem'>> {
  const release = (await collection.get(published.release))?.body.release;
  const { primitives } = core.log.ports;
  if (release === undefined || toHex(releaseHash(primitives, release)) !== published.release)
    return { release: null, problem: 'not-shown' };
  return saysTheSame(published, release)
    ? { release, problem: null }
    : { release: null, problem: 'other-release' };
}

/** What an entry of the membership log says of a release, as `namesRelease` compares it. */
export type EnteredRelease = Omit<PublishedPeriod, 'at' | 'author'>;

/** Whether an entry names this very release, and says of it what it says of itself. */
export function namesRelease(
  primitives: Primitives,
  entered: EnteredRelease,
  release: AggregateRelease,
): boolean {
  return toHex(releaseHash(primitives, release)) === entered.release && saysTheSame(entered, release);
}

function saysTheSame(
  { dataset, fromMs, toMs, epsilonMilli }: EnteredRelease,
  { plan }: AggregateRelease,
): boolean {
  const { period } = plan;
  return (
    dataset === plan.dataset && fromMs === period.from && toMs === period.to && epsilonMilli === costOf(plan)
  );
}
