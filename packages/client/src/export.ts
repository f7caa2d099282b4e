export { acknowledgeArchive, acknowledgedThrough, type Acknowledgement } from './export-acknowledgement.ts';
export { exportOrganisation, exportSource, type OrganisationExport } from './export-source.ts';
