export { aggregateLedger, aggregateLedgerIn } from './aggregates-ledger.ts';
export type { ReleaseToPublish } from './aggregates-making.ts';
export {
  proposeRelease,
  readReleaseProposal,
  submitRelease,
  type ProposedRelease,
  type ReleaseProposalView,
} from './aggregates-propose.ts';
export { publishRelease } from './aggregates-publish.ts';
export {
  publishedRelease,
  publishedReleases,
  type PublishedRelease,
  type ReleaseProblem,
} from './aggregates-published.ts';
export { releases, type ReleaseCollection, type ReleaseDocument } from './aggregates-document.ts';
