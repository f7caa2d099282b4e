import type { LedgerFinding, RetentionLedger } from './ledger.ts';
import type { LedgerMaterial } from './material.ts';
import { policyPeriods } from './policy-periods.ts';
import { findRows } from './rows.ts';
import { readAcknowledgements, readArchives, readDeletions } from './said.ts';

/**
 * The ledger of a group's log (docs/spec/retention-ledger.md): of each part when it is due, in which archive it is, by
 * whose word it may go, and by whose it is gone. Every signature is checked here; whatever does not count is a finding.
 */
export function retentionLedger(material: LedgerMaterial): RetentionLedger {
  const { primitives, directory, nowMs, relay } = material;
  const { org, everyone, policy } = directory.state;
  const findings: LedgerFinding[] = [];
  const found = (finding: LedgerFinding): void => void findings.push(finding);
  const periods = policyPeriods(primitives, directory);
  const archives = readArchives(material, found);
  const acknowledgements = readAcknowledgements(material, found);
  const deletions = readDeletions(material, periods, found);
  const rows = findRows({ ...material, periods, archives, acknowledgements, deletions }, found);
  return {
    ...{ org, group: everyone, madeMs: nowMs, isRelayAsked: relay !== null, rows },
    attachmentsHeld: relay?.attachmentsHeld ?? null,
    ...{ exportSeconds: policy.exportSeconds, isWaived: policy.exportWaived === true },
    ...{ archives, acknowledgements, deletions },
    findings: findings.toSorted((a, b) => Number(a.weight === 'note') - Number(b.weight === 'note')),
  };
}
