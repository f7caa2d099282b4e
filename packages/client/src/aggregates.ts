export { aggregateLedger, aggregateLedgerIn } from './aggregates-ledger.ts';
export { publishRelease, type ReleaseToPublish } from './aggregates-publish.ts';
export { publishedRelease, publishedReleases, type PublishedRelease } from './aggregates-published.ts';
export { releases, type ReleaseCollection, type ReleaseDocument } from './aggregates-document.ts';
