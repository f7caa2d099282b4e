export type { JournalCheck, JournalUnderTest } from './journal-check.ts';
export { journalChecks, journalConformance } from './journal-conformance.ts';
export { leaseChecks, leaseConformance, type LeaseCheck, type LeaseUnderTest } from './lease-conformance.ts';
export type { TestRunner } from './test-runner.ts';
