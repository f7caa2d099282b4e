export { approveArchive, type ArchiveApproval } from './export-approval.ts';
export {
  acknowledgeArchive,
  acknowledgedThrough,
  type AcknowledgeChoice,
  type Acknowledgement,
} from './export-acknowledgement.ts';
export { lackingIn, type Lacking } from './export-lacking.ts';
export { recordMerge } from './export-merge.ts';
export { exportOrganisation, exportSource, type OrganisationExport } from './export-source.ts';
export { readRetentionLedger, type LedgerChoice } from './export-ledger.ts';
