import { verifyBytes, type DeviceId, type Primitives } from '@keytide/crypto-core';
import type { Entry } from './entry.ts';
import { DirectoryError } from './errors.ts';
import { adminsNeeded, type ApprovalAct } from './policy.ts';
import type { Author, EntryOf } from './rules/standing.ts';
import type { DirectoryFacts, Member } from './state.ts';

/**
 * Checks the approvals of an entry whose author holds the right: exactly as many as the policy asks for at
 * this point of the log, each by an active device of another acting admin. More would be as wrong as fewer:
 * a relay could then choose between two wires of one entry.
 * @throws DirectoryError `approval-needed`, `bad-approval`; CryptoError `bad-signature`
 */
export function requireApprovals(
  primitives: Primitives,
  facts: DirectoryFacts | null,
  entry: Entry,
  author: Author | null,
): void {
  const needed = facts === null || author === null ? 0 : approvalsNeeded(facts, entry, author);
  if (entry.approvals.length > needed)
    throw new DirectoryError('bad-approval', 'more approvals than this act takes');
  const heard = new Set([author?.member.id]);
  for (const { device, signature } of entry.approvals) {
    const approver = requireApprover(facts as DirectoryFacts, device);
    if (heard.has(approver.member.id))
      throw new DirectoryError('bad-approval', 'two signatures of one admin');
    heard.add(approver.member.id);
    verifyBytes(
      primitives,
      primitives.verifier(approver.device.signingPublicKey),
      'entrySignature',
      entry.bytes,
      signature,
    );
  }
  if (entry.approvals.length < needed)
    throw new DirectoryError('approval-needed', `takes ${neededText(needed)}`);
}

/** How many approvals besides its author's signature an entry takes at this point of the log. */
export function approvalsNeeded(facts: DirectoryFacts, entry: Entry, author: Author): number {
  const act = actOf(facts, entry, author);
  return act === null ? 0 : adminsNeeded(facts.policy, act) - 1;
}

function neededText(needed: number): string {
  return needed === 1 ? '1 approval of another admin' : `${needed} approvals of other admins`;
}

/** The device, where it could approve now. @throws DirectoryError `bad-approval` */
export function requireApprover(facts: DirectoryFacts, id: DeviceId): Author {
  const device = facts.devices.get(id);
  const member = device === undefined ? undefined : facts.members.get(device.member);
  if (device === undefined || device.revokedAt !== null || member?.role !== 'admin')
    throw new DirectoryError('bad-approval', 'not by an active device of an admin');
  return { device, member };
}

/**
 * What the policy may ask approvals for; `null` for what every admin does alone. Revoking a device is among
 * the latter: a stolen phone must not wait for a meeting.
 */
function actOf(facts: DirectoryFacts, entry: Entry, author: Author): ApprovalAct | null {
  const { body } = entry;
  switch (body.kind) {
    case 'policy':
      return 'administration';
    case 'invite':
      return body.role === 'admin' ? 'administration' : null;
    case 'role':
      return body.role === 'admin' || isAdmin(facts.members.get(body.member)) ? 'administration' : null;
    case 'remove-member':
      return isAdmin(facts.members.get(body.member)) ? 'administration' : null;
    case 'invite-device':
      // A device that one admin lets in for another would speak for both.
      return body.member !== author.member.id && isAdmin(facts.members.get(body.member))
        ? 'administration'
        : null;
    case 'aggregates':
      // Numbers leave the organisation, as an archive does.
      return 'export';
    case 'wipe':
      return wipesOnlyOwn(facts, entry as EntryOf<'wipe'>, author) ? null : 'wipe';
    default:
      return null;
  }
}

function wipesOnlyOwn(facts: DirectoryFacts, { body }: EntryOf<'wipe'>, author: Author): boolean {
  if (body.target.of === 'member') return body.target.member === author.member.id;
  if (body.target.of === 'device') return facts.devices.get(body.target.device)?.member === author.member.id;
  return false;
}

function isAdmin(member: Member | undefined): boolean {
  return member?.role === 'admin' && member.removedAt === null;
}
