import { deviceIdOf, signBytes, sorted, type Primitives, type Signer } from '@keytide/crypto-core';
import { requireApprover } from '../approvals.ts';
import { encodeEntryWire, parseEntry, type EntrySignature } from '../entry.ts';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { judge, judgeProposal } from '../judge.ts';
import type { DirectoryState } from '../state.ts';

/** An entry that waits for approvals, and the log it continues. */
export interface Proposal {
  readonly primitives: Primitives;
  /** The verified log; when it has grown since the proposal was made, the proposal has to be made anew. */
  readonly state: DirectoryState;
  /** The proposal's wire, as its author signed it. */
  readonly wire: Uint8Array;
}

/** How many approvals of other admins a proposal takes. @throws DirectoryError with which the rules refuse it */
export function approvalsFor({ primitives, state, wire }: Proposal): number {
  return judgeProposal(primitives, state, parseEntry(primitives, wire));
}

/**
 * An admin's word for another admin's entry: a signature over the same bytes. Show the person what the entry
 * does (`parseEntry`) before.
 * @throws DirectoryError `bad-approval` when this device may not approve, or is the author's; `wrong-predecessor`
 * when the log has grown; and with which the rules refuse the entry itself
 */
export function approveEntry(proposal: Proposal & { readonly signer: Signer }): EntrySignature {
  const { primitives, state, wire, signer } = proposal;
  const entry = parseEntry(primitives, wire);
  judgeProposal(primitives, state, entry);
  const device = deviceIdOf(primitives, signer.publicKey);
  const { member } = requireApprover(state, device);
  if (state.devices.get(entry.author)?.member === member.id)
    throw new DirectoryError('bad-approval', 'nobody approves what they did themselves');
  return { device, signature: signBytes(primitives, signer, 'entrySignature', entry.bytes) };
}

/**
 * The entry with its approvals, in any order, as it can be appended.
 * @throws DirectoryError `approval-needed`, `bad-approval`, `bad-signature`, and with which the rules refuse it
 */
export function withApprovals(proposal: Proposal, approvals: readonly EntrySignature[]): Uint8Array {
  const { primitives, state } = proposal;
  const { author, signature, bytes } = parseEntry(primitives, proposal.wire);
  const others = sorted(approvals, (a, b) => (a.device < b.device ? -1 : 1));
  const wire = inDirectoryTerms(() => encodeEntryWire(bytes, [{ device: author, signature }, ...others]));
  judge(primitives, state, parseEntry(primitives, wire));
  return wire;
}
