import { type AggregateRelease, type FullPlan, type PublishedAggregates } from '@keytide/archive/aggregates';
import { toHex } from '@keytide/crypto-core';
import { createAggregatesEntry, DirectoryError, type PublishedPeriod } from '@keytide/key-directory';
import { isOfPlan, type ReleaseCollection } from './aggregates-document.ts';
import {
  alreadyPublished,
  keep,
  kept,
  keptRelease,
  preparing,
  show,
  type ReleaseToPublish,
} from './aggregates-making.ts';
import { namedRelease, namesRelease, periodOf } from './aggregates-published.ts';
import { appendEntry } from './append-entry.ts';
import type { ClientCore } from './client-core.ts';
import type { Client } from './client.ts';
import type { Declarations } from './collection.ts';

/**
 * Publishes numbers about records, once for each period: enters the release in the membership log, where the rules refuse
 * a second one on every device, and then gives it to the relay. The records stay here. Whoever asks with the same plan
 * again gets what is published, whatever the records say by now. For admins. Broken off, the same call goes on.
 * @throws ArchiveError `bad-plan`, `undeclared-value`, `period-open`, `already-published`, `budget-spent`; ClientError
 *   `too-large` (declare less in one plan), `offline`, `relay-refused`, `unwitnessed`, `closed`; DirectoryError
 *   `not-permitted`, `approval-needed` where exports take several admins: then `proposeRelease`
 */
export async function publishRelease<D extends Declarations>(
  client: Client<D>,
  { collection, ...of }: ReleaseToPublish,
): Promise<AggregateRelease> {
  const { core, plan, make } = await preparing(client, of);
  const before = periodOf(core, plan);
  if (before !== null) return await publishedBefore(core, before, { plan, collection, make });

  const { release, entered } = await keptRelease(core, plan, make);
  try {
    await appendEntry(core.log, (context) => ({
      wire: createAggregatesEntry({ ...context, aggregates: entered }),
    }));
  } catch (error) {
    // Without a word of the relay it may be in the log; what the rules refuse is not.
    if (error instanceof DirectoryError) await keep(core, toHex(entered.release), null);
    if (!(error instanceof DirectoryError) || error.code !== 'already-published') throw error;
    const first = periodOf(core, plan);
    if (first === null) throw alreadyPublished(error);
    return await publishedBefore(core, first, { plan, collection, make });
  }
  return await show(core, toHex(entered.release), release, collection);
}

interface Again {
  readonly plan: FullPlan;
  readonly collection: ReleaseCollection;
  readonly make: () => PublishedAggregates;
}

/** What is published, if it was by the same plan. @throws ArchiveError `already-published` */
async function publishedBefore(
  core: ClientCore,
  published: PublishedPeriod,
  { plan, collection, make }: Again,
): Promise<AggregateRelease> {
  await collection.pull();
  const { release: hash } = published;
  const { release: shown } = await namedRelease(core, collection, published);
  const remade = (): AggregateRelease | null => (plan.epsilonMilli === undefined ? make().release : null);
  const release = shown ?? (await kept(core, hash)) ?? remade();
  const isNamed = release !== null && namesRelease(core.log.ports.primitives, published, release);
  if (!isNamed || !isOfPlan(release, plan)) throw alreadyPublished();
  return shown ?? (await show(core, hash, release, collection));
}
