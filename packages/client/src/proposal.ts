import type { DeviceId, MemberId } from '@keytide/crypto-core';
import { approvalsFor, parseEntry, type EntryBody, type Proposal } from '@keytide/key-directory';

/** What a proposal would do: for a person to read before they approve it. */
export interface ProposalView {
  readonly body: EntryBody;
  /** Who proposes it, by this device's verified log; `null` where that is no device of it. */
  readonly author: { readonly member: MemberId; readonly handle: string; readonly device: DeviceId } | null;
  /** How many other admins must approve it. */
  readonly approvals: number;
}

/** Reads a proposal and judges it but for its approvals. @throws DirectoryError with which the rules refuse it */
export function readProposal(proposal: Proposal): ProposalView {
  const { primitives, state, wire } = proposal;
  const { body, author: device } = parseEntry(primitives, wire);
  const owner = state.devices.get(device)?.member;
  const member = owner === undefined ? undefined : state.members.get(owner);
  const author = member === undefined ? null : { member: member.id, handle: member.handle, device };
  return { body, author, approvals: approvalsFor(proposal) };
}
