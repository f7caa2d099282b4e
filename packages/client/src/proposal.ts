import type { DeviceId, MemberId } from '@keytide/crypto-core';
import {
  approvalsFor,
  approveEntry,
  checkpointOf,
  DirectoryError,
  encodeApproval,
  formatInviteLink,
  parseApproval,
  parseEntry,
  withApprovals,
  type DirectoryState,
  type EntryBody,
  type Invite,
  type Proposal,
} from '@keytide/key-directory';
import { writeInvite } from './acts.ts';
import { appendEntry, buildContext, type BuildContext, type MembershipLog } from './append-entry.ts';

/** A device, and the member whose it is, by the log. */
export interface Signatory {
  readonly member: MemberId;
  readonly handle: string;
  readonly device: DeviceId;
}

/** What a proposal would do: for a person to read before they approve it. */
export interface ProposalView {
  readonly body: EntryBody;
  /** Who proposes it, by this device's verified log; `null` where that is no device of it. */
  readonly author: Signatory | null;
  /** How many other admins must approve it; 0 once it is done. */
  readonly approvals: number;
  /** The index of its entry once it is in the log; `null` before. */
  readonly doneAt: number | null;
}

/** An invite that takes approvals. */
export interface ProposedInvite {
  /** The bytes for `approve` and `submit`. The secret of the link is not in them. */
  readonly proposal: Uint8Array;
  /** Lets somebody in once the proposal was submitted: a secret, for whom it is meant. */
  readonly link: string;
}

/** Signs an entry as a proposal. @throws as `Client.propose` */
export async function propose(
  log: MembershipLog,
  build: (context: BuildContext) => Uint8Array,
): Promise<Uint8Array> {
  const proposal = build(await proposing(log));
  await log.remember(proposal);
  return proposal;
}

/** Signs an invite as a proposal. Its link names the log as it is before the invite. @throws as `Client.propose` */
export async function proposeInvite(
  log: MembershipLog,
  relayUrl: string,
  lets: Invite['lets'],
  validForMs: number,
): Promise<ProposedInvite> {
  const context = await proposing(log);
  const { wire: proposal, seed } = writeInvite(context, lets, validForMs);
  await log.remember(proposal);
  const { state } = context;
  const link = formatInviteLink({ relayUrl, org: state.org, checkpoint: checkpointOf(state), seed });
  return { proposal, link };
}

/** Reads a proposal and judges it but for its approvals. @throws DirectoryError with which the rules refuse it */
export function readProposal(log: MembershipLog, wire: Uint8Array): ProposalView {
  const { state } = log.directory;
  const { body, author } = parseEntry(log.ports.primitives, wire);
  const doneAt = placeOf(log, wire);
  const approvals = doneAt === null ? approvalsFor(asProposal(log, wire)) : 0;
  return { body, author: signatoryOf(state, author), approvals, doneAt };
}

/** Approves a proposal. @throws as `Client.approve` */
export async function approve(log: MembershipLog, wire: Uint8Array): Promise<Uint8Array> {
  const approval = approveEntry({ ...asProposal(log, wire), signer: log.self.signer });
  await log.remember(wire);
  return encodeApproval(approval);
}

/** Appends a proposal with its approvals, unless that was done before. @throws as `Client.submit` */
export async function submitProposal(
  log: MembershipLog,
  wire: Uint8Array,
  approvals: readonly Uint8Array[],
): Promise<void> {
  const signatures = approvals.map(parseApproval);
  // Whoever submits a proposal has not signed it by that: a thief could have it submitted by its victim.
  const submitting = { ...log, remember: () => Promise.resolve() };
  try {
    await appendEntry(submitting, () => ({ wire: withApprovals(asProposal(log, wire), signatures) }));
  } catch (error) {
    const isLate = error instanceof DirectoryError && error.code === 'wrong-predecessor';
    if (!isLate || placeOf(log, wire) === null) throw error;
  }
}

/** A device as the log knows it, or `null` where it does not. */
export function signatoryOf(state: DirectoryState, device: DeviceId): Signatory | null {
  const owner = state.devices.get(device)?.member;
  const member = owner === undefined ? undefined : state.members.get(owner);
  return member === undefined ? null : { member: member.id, handle: member.handle, device };
}

async function proposing(log: MembershipLog): Promise<BuildContext> {
  await log.pullDirectory();
  return { ...buildContext(log), asProposal: true };
}

function asProposal({ ports, directory }: MembershipLog, wire: Uint8Array): Proposal {
  return { primitives: ports.primitives, state: directory.state, wire };
}

/** Where the log has the entry that was proposed, with whatever approvals; `null` when it has not. */
function placeOf({ ports, directory }: MembershipLog, wire: Uint8Array): number | null {
  const { index, hash } = parseEntry(ports.primitives, wire);
  const [there] = directory.wires(index, index + 1);
  return there !== undefined && parseEntry(ports.primitives, there).hash === hash ? index : null;
}
