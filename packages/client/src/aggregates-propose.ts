import {
  ArchiveError,
  openAggregateLedger,
  publishAggregates,
  type AggregateRecord,
  type AggregateRelease,
} from '@keytide/archive/aggregates';
import { toHex } from '@keytide/crypto-core';
import { createAggregatesEntry, parseEntry } from '@keytide/key-directory';
import { releaseHash, type ReleaseCollection } from './aggregates-document.ts';
import {
  alreadyPublished,
  kept,
  keptRelease,
  preparing,
  show,
  type ReleaseToPublish,
} from './aggregates-making.ts';
import { namesRelease, periodOf } from './aggregates-published.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';
import { propose, type ProposalView } from './proposal.ts';

/** A release that takes approvals. */
export interface ProposedRelease {
  /** The bytes for `readReleaseProposal`, `approve` and `submitRelease`. */
  readonly proposal: Uint8Array;
  /** For the other admins, who approve these very numbers: nothing of it is in the proposal but its hash. */
  readonly release: AggregateRelease;
}

/**
 * Makes a release that other admins are to approve: nothing of it is published, and this device keeps it for
 * `submitRelease`. A proposal is good until the membership log grows; made anew, noise is drawn anew.
 * @throws as `publishRelease`, but for `approval-needed`
 */
export async function proposeRelease<D extends Declarations>(
  client: Client<D>,
  of: Omit<ReleaseToPublish, 'collection'>,
): Promise<ProposedRelease> {
  const { core, plan, make } = await preparing(client, of);
  if (periodOf(core, plan) !== null) throw alreadyPublished();
  const { release, entered } = await keptRelease(core, plan, make);
  const proposal = await propose(core.log, (context) =>
    createAggregatesEntry({ ...context, aggregates: entered }),
  );
  return { proposal, release };
}

/** A proposed release as this device sees it: for a person to look at before they approve it. */
export interface ReleaseProposalView extends ProposalView {
  /**
   * Whether this device's own records give the very same numbers; `null` for numbers with noise, which nobody can make
   * again. Not the same: one of the two devices lacks records, or somebody made the numbers up.
   */
  readonly isSame: boolean | null;
}

/**
 * Reads a proposed release with the proposal for it, and makes it again of this device's own records. For other admins,
 * who then `approve` the proposal.
 * @throws ArchiveError `other-release` for one that the proposal does not name, or that says something else than it;
 *   DirectoryError as `Client.readProposal`
 */
export function readReleaseProposal<D extends Declarations>(
  client: Client<D>,
  { proposal, release }: ProposedRelease,
  records: Iterable<AggregateRecord>,
): ReleaseProposalView {
  const { log, parts } = coreOf(client);
  const view = client.readProposal(proposal);
  const { body } = view;
  const isNamed =
    body.kind === 'aggregates' &&
    namesRelease(log.ports.primitives, { ...body, release: toHex(body.release) }, release);
  if (!isNamed) throw new ArchiveError('other-release', 'not the release that is proposed');
  if (release.plan.epsilonMilli !== undefined) return { ...view, isSame: null };
  const ledger = openAggregateLedger(release.plan.dataset);
  const nowMs = parts.time.now();
  const { random } = log.ports;
  const own = publishAggregates({ plan: release.plan, records, ledger, nowMs, random }).release;
  return { ...view, isSame: toHex(releaseHash(log.ports.primitives, own)) === toHex(body.release) };
}

/**
 * Enters a proposed release with its approvals, and gives it to the relay if this device has made it. Again, it goes on.
 * @returns whether the relay has it: if not, it is for the device that proposed it, by this call or `publishRelease`
 * @throws ArchiveError `other-release` for the proposal of something else; as `Client.submit`
 */
export async function submitRelease<D extends Declarations>(
  client: Client<D>,
  proposal: Uint8Array,
  {
    approvals,
    collection,
  }: { readonly approvals: readonly Uint8Array[]; readonly collection: ReleaseCollection },
): Promise<boolean> {
  const core = coreOf(client);
  const { body } = parseEntry(core.log.ports.primitives, proposal);
  if (body.kind !== 'aggregates') throw new ArchiveError('other-release', 'the proposal of something else');
  await client.submit(proposal, approvals);
  const hash = toHex(body.release);
  const release = await kept(core, hash);
  if (release !== null) await show(core, hash, release, collection);
  else await collection.pull();
  return (await collection.get(hash)) !== null;
}
