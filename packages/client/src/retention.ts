import type { Policy, Role } from '@keytide/key-directory';

/**
 * The start of the retention window: what was written in a block that had ended by then is over for this role.
 * Admins keep what they may export, everybody else X (docs/spec/retention.md).
 */
export function windowStartMs(policy: Policy, role: Role, nowMs: number): number {
  return nowMs - (role === 'admin' ? policy.exportSeconds : policy.retentionSeconds) * 1000;
}
