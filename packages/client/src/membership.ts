import {
  deviceId,
  safetyNumber,
  type DealtQuorum,
  type DeviceId,
  type MemberId,
  type OrgId,
  type RefusedShare,
  type SafetyNumber,
  type Secret,
} from '@keytide/crypto-core';
import {
  checkpointOf,
  formatInviteLink,
  type ArchiveKeySet,
  type Device,
  type Invite,
  type InviteId,
  type Policy,
  type Role,
  type WipeTarget,
} from '@keytide/key-directory';
import { unlockAttemptsResponse } from '@keytide/relay-protocol';
import { writeAct, writeInvite, type Act } from './acts.ts';
import { appendEntry, type MembershipLog } from './append-entry.ts';
import { readArchiveBox } from './archive-box.ts';
import {
  dealArchiveKey,
  readArchiveKeySet,
  redealArchiveKey,
  type ArchiveKeyHolders,
} from './archive-key.ts';
import { auditEntries, type AuditReport } from './audit.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import type { Identity } from './identity.ts';
import type { IdentityWatch } from './identity-watch.ts';
import { devicesIn, invitesIn, type DeviceView, type InviteView } from './people.ts';
import type { Ports } from './ports.ts';
import {
  approve,
  propose,
  proposeInvite,
  readProposal,
  submitProposal,
  type ProposalView,
  type ProposedInvite,
} from './proposal.ts';
import type { RelayApi } from './relay-api.ts';
import { auditRelay } from './relay-audit.ts';
import type { SignedEntries } from './signed-entries.ts';
import { readDue, sayExported, type Exported, type RetentionDue } from './release.ts';
import { readWipeReceipts, type WipeReceiptView } from './wipe-receipts.ts';

/** Wrong attempts at the unlock share of a device, within the lease. */
export interface UnlockAttempts {
  readonly device: DeviceId;
  readonly wrong: number;
}

interface MembershipParts {
  readonly ports: Ports;
  readonly self: Self;
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  readonly epochs: Pick<EpochRing, 'statementOf'>;
  readonly identities: IdentityWatch;
  readonly signed: SignedEntries;
  /** The log, and what it takes to write to it. */
  readonly log: MembershipLog;
}

const DEFAULT_INVITE_MS = 24 * 60 * 60 * 1000;

/** Who is in the organisation and what it decides: the half of a client that reads and writes the membership log. */
export class Membership {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly member: MemberId;
  readonly relayUrl: string;
  readonly #parts: MembershipParts;

  constructor({ org, member, relayUrl }: Identity, parts: MembershipParts) {
    this.org = org;
    this.device = parts.self.device;
    this.member = member;
    this.relayUrl = relayUrl;
    this.#parts = parts;
  }

  /** Every device there is or was, by this device's verified log. */
  devices(): readonly DeviceView[] {
    return devicesIn(this.#parts.directory.state, this.#parts.self);
  }

  /** The invites that nobody has used or taken back, by this device's verified log. */
  invites(): readonly InviteView[] {
    return invitesIn(this.#parts.directory.state, this.#parts.ports.clock.now());
  }

  /** What the organisation has decided, by this device's verified log. */
  get policy(): Policy {
    return this.#parts.directory.state.policy;
  }

  /**
   * Ends sessions with the relay, for a device that is out of reach but not given up: `'others'`, all of one's own
   * devices but this session, or those of one device. It stays a device and may log in again by its key; to take that
   * from it, revoke or wipe it.
   * @throws ClientError `offline`, `relay-refused` with `not-a-member` for a device of somebody else, unless an admin asks
   */
  logOut(which: 'others' | DeviceId): Promise<void> {
    return this.#parts.api.endSessions(
      which === 'others' ? { which: 'others' } : { which: 'device', device: which },
    );
  }

  /**
   * Makes an invite for one person: a link whose fragment holds a one-time key. Whoever has it can join once.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`, `unwitnessed` while too few admins have
   *   cosigned the log lately; DirectoryError `not-permitted` for non-admins, `approval-needed` for an admin's where
   *   the policy says so: then `proposeInvite` it
   */
  invite(options: { role?: Role; validForMs?: number } = {}): Promise<string> {
    const { role = 'member', validForMs } = options;
    return this.#invite({ in: 'member', role }, validForMs);
  }

  /**
   * Makes an invite for another device of a member, by default of one's own: a link as `invite` makes it.
   * @throws as `invite`; DirectoryError `unknown-member`, `approval-needed` for another admin's
   */
  inviteDevice(options: { member?: MemberId; validForMs?: number } = {}): Promise<string> {
    const { member = this.member, validForMs } = options;
    return this.#invite({ in: 'device', member }, validForMs);
  }

  /**
   * Writes what somebody wants to do to the membership log; each of the calls that follow is one of these, and says
   * what comes of it: read `setPolicy` before a `leaseSeconds`, which ends cold starts without the network.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`, `unwitnessed` unless it takes rights away;
   *   DirectoryError with which the rules refuse it
   */
  async act(act: Act): Promise<void> {
    await appendEntry(this.#parts.log, (context) => ({ wire: writeAct(context, act) }));
  }

  /** Takes back an invite. @throws as `removeMember`; DirectoryError `invite-unknown`, `invite-used`, `invite-revoked` */
  revokeInvite(invite: InviteId): Promise<void> {
    return this.act({ kind: 'revoke-invite', invite });
  }

  /**
   * Ends a device for good: one of one's own, this one included, or as an admin anybody's. It gets no key and no
   * session from then on. Takes no approval: a stolen phone must not wait.
   * @throws as `removeMember`; DirectoryError `unknown-device`
   */
  revokeDevice(device: DeviceId): Promise<void> {
    return this.act({ kind: 'revoke-device', device });
  }

  /**
   * Removes a member and all their devices, for good. Works also on a device that a false claim of this member
   * has stopped; open it anew afterwards. An admin can remove themselves while another one stays.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`; DirectoryError `not-permitted` for
   *   non-admins, `unknown-member`, `last-admin`, `approval-needed` where the policy says so: then `propose` it
   */
  removeMember(member: MemberId): Promise<void> {
    return this.act({ kind: 'remove-member', member });
  }

  /** Gives a member another role. @throws as `removeMember`; DirectoryError `unchanged` */
  setRole(member: MemberId, role: Role): Promise<void> {
    return this.act({ kind: 'role', member, role });
  }

  /**
   * Changes the policy, from the next entry on. `change` is called with the policy of the moment, and again when
   * another admin was faster. With `leaseSeconds` in it, every device needs the relay to open its store from then on:
   * no cold start without the network (docs/spec/unlock-lease.md). A shorter `retentionSeconds` deletes what is over by
   * it on members' devices at once, for good.
   * @throws as `removeMember`; DirectoryError `malformed`, `unchanged`, `too-few-admins`, `bad-key`, `id-reused`
   */
  setPolicy(change: (policy: Policy) => Policy): Promise<void> {
    return this.act({ kind: 'policy', change });
  }

  /**
   * Orders devices to destroy what they hold, and ends them: they get no key and no session from then on. Each that
   * reads the order destroys everything and says so, to be read with `receipts`. A device of one's own that is named
   * too is in state `wiped` soon after.
   * @throws as `removeMember`; DirectoryError `unknown-device`, `unchanged`
   */
  wipe(target: WipeTarget): Promise<void> {
    return this.act({ kind: 'wipe', target });
  }

  /**
   * The receipts of devices that have destroyed what they held, each checked against this device's own log. A device
   * that is wiped and has none may be off, or may not have obeyed. For admins. Asks the relay at each call, and nothing
   * tells when another has come: ask again while somebody looks, every few seconds or more.
   * @throws ClientError `offline`, `relay-refused` (`not-a-member` for non-admins), `relay-misbehaved` for a receipt
   *   that is none
   */
  async receipts(): Promise<readonly WipeReceiptView[]> {
    await this.#parts.log.pullDirectory();
    return await readWipeReceipts(this.#parts.ports.primitives, this.#parts.api, this.#parts.directory);
  }

  /**
   * What the relay is about to forget of the group's log, and whether it was exported, by its own word: what is due in a
   * week, or in a quarter of Y. For admins and exporters. Asks the relay at each call.
   * @throws ClientError `offline`, `relay-refused` (`not-a-member` for others)
   */
  async retentionDue(): Promise<RetentionDue> {
    return await readDue({ ...this.#parts, group: this.#parts.directory.state.everyone });
  }

  /**
   * Says, signed, that this device has exported the group's log: where the policy does not waive it (`exportWaived`), the
   * relay forgets nothing before. Say it when the export is safe, and whole. For admins and exporters.
   * @throws ClientError `offline`, `relay-refused` (`not-a-member` for others, `record-refused` beyond the log's end)
   */
  async acknowledgeExport(exported: Exported): Promise<void> {
    await sayExported({ ...this.#parts, group: this.#parts.directory.state.everyone }, exported);
  }

  /**
   * The sealed key of an epoch that only the organisation's archive key opens, as an export carries it: 1168 bytes, for
   * `openEpochBox`. `null` where the policy named no archive key then, and when the relay has it no more. Nobody but
   * who opens it can tell whether it is the right one. For admins and exporters.
   * @throws ClientError `not-ready` for an epoch that this device has not verified; `offline`, `relay-refused`
   *   (`not-a-member` for others)
   */
  archiveBox(epoch: number): Promise<Uint8Array | null> {
    return readArchiveBox(this.#parts, epoch);
  }

  /**
   * Splits the seed of an archive key (32 bytes, uniformly random; stays the caller's to dispose) among holders: a set
   * that this device signs, and a share for each of them. Name the public key in the policy once the shares are safe.
   * For admins. Needs no relay.
   * @throws DirectoryError `not-permitted`; CryptoError `malformed` for numbers and names that cannot be, `bad-key`
   */
  async dealArchiveKey(seed: Secret, among: ArchiveKeyHolders): Promise<DealtQuorum> {
    return await dealArchiveKey(this.#parts, seed, among);
  }

  /**
   * Splits the key of a set anew, by enough of its shares, among other holders or with another threshold. The key stays
   * as it is, and old shares count until they are destroyed. For admins. Needs no relay.
   * @throws as `dealArchiveKey`; CryptoError `too-few-shares`, `commitment-mismatch`
   */
  async redealArchiveKey(
    previous: ArchiveKeySet,
    shares: readonly Secret[],
    among: ArchiveKeyHolders,
  ): Promise<DealtQuorum & { refused: readonly RefusedShare[] }> {
    return await redealArchiveKey(this.#parts, previous, shares, among);
  }

  /**
   * Checks a set of shares of an archive key against this device's verified log: who dealt it, and that it is of a key
   * that the policy has, or had. Needs no relay.
   * @throws CryptoError `wrong-context` (another organisation, or a dealer that never was a device of an admin), `bad-signature`,
   *   `commitment-mismatch` (a key that the policy never had), `malformed`, `too-large`, `unsupported-version`
   */
  readArchiveKeySet(wire: Uint8Array): ArchiveKeySet {
    return readArchiveKeySet(this.#parts, wire);
  }

  /**
   * The devices at whose unlock shares somebody has tried wrong passphrases within the lease, those with the most
   * first, by the relay's word. For admins: it may be a person who has forgotten, or a copy of a disk that is guessed at.
   * @throws ClientError `offline`, `relay-refused` (`not-a-member` for non-admins)
   */
  async unlockAttempts(): Promise<readonly UnlockAttempts[]> {
    const { devices } = await this.#parts.api.call('GET', '/unlock-share/attempts', unlockAttemptsResponse);
    return devices.map(({ device, wrongAttempts: wrong }) => ({ device: deviceId(device), wrong }));
  }

  /**
   * Writes down what takes the approval of other admins: bytes for `approve` and `submit`, good until the
   * membership log grows.
   * @throws ClientError `offline`, `relay-forked`; DirectoryError with which the rules refuse the act itself
   */
  propose(act: Act): Promise<Uint8Array> {
    return propose(this.#parts.log, (context) => writeAct(context, act));
  }

  /**
   * Writes down an invite that takes the approval of other admins: a proposal, and the link for whom it is meant,
   * which lets nobody in before the proposal was submitted. Only this answer has the link.
   * @throws as `propose`
   */
  proposeInvite(lets: Invite['lets'], options: { validForMs?: number } = {}): Promise<ProposedInvite> {
    const { validForMs = DEFAULT_INVITE_MS } = options;
    return proposeInvite(this.#parts.log, this.relayUrl, lets, validForMs);
  }

  /**
   * What a proposal would do, or has done, by the log as this device knows it.
   * @throws DirectoryError `wrong-predecessor` when the log has grown since it was made, but not by it, or this
   *   device is behind; otherwise with which the rules refuse it
   */
  readProposal(proposal: Uint8Array): ProposalView {
    return readProposal(this.#parts.log, proposal);
  }

  /**
   * An admin's word for another's proposal: bytes for `submit`. Show the person `readProposal` before.
   * @throws DirectoryError as `readProposal`, `wrong-predecessor` when it is done, and `bad-approval` when this
   *   device may not approve it
   */
  approve(proposal: Uint8Array): Promise<Uint8Array> {
    return approve(this.#parts.log, proposal);
  }

  /**
   * Appends a proposal with its approvals, as many as it takes. Any member may. When it is in the log already,
   * nothing more happens.
   * @throws as `removeMember`; DirectoryError as `readProposal`, `approval-needed`, `bad-approval`, `bad-signature`
   *   (an approval of something else)
   */
  submit(proposal: Uint8Array, approvals: readonly Uint8Array[]): Promise<void> {
    return submitProposal(this.#parts.log, proposal, approvals);
  }

  /**
   * Everything that the membership log has by or about one's own member and its devices, and what of it is an alarm;
   * then, unless `offline`, what the relay answers about them, checked against this device's own replay. What the
   * relay is caught at is part of the report.
   * @throws ClientError `offline`, `relay-refused`, `closed`; a retry helps against the first
   */
  async audit(options: { offline?: boolean } = {}): Promise<AuditReport> {
    const log = this.#parts.log;
    const relay = options.offline === true ? null : await auditRelay(log, this.member);
    const { state } = this.#parts.directory;
    const { primitives } = this.#parts.ports;
    const entries = auditEntries({
      primitives,
      wires: this.#parts.directory.wires(0),
      state,
      device: this.device,
      unknown: this.#parts.signed.unknown(),
    });
    const noted = this.#parts.identities.notedUpTo(this.member);
    const alarms = entries.filter(({ index, alarm }) => alarm !== null && index >= noted);
    return { size: state.size, entries, alarms, relay };
  }

  /**
   * What two people compare in person, so that they know of each other's devices. Changes when either one's do.
   * @throws CryptoError `malformed` for a member without a device
   */
  safetyNumber(member: MemberId): SafetyNumber {
    const { primitives } = this.#parts.ports;
    return safetyNumber(primitives, this.org, this.#keysOf(this.member), this.#keysOf(member));
  }

  async #invite(lets: Invite['lets'], validForMs: number = DEFAULT_INVITE_MS): Promise<string> {
    const { seed } = await appendEntry(this.#parts.log, (context) => writeInvite(context, lets, validForMs));
    const checkpoint = checkpointOf(this.#parts.directory.state);
    return formatInviteLink({ relayUrl: this.relayUrl, org: this.org, checkpoint, seed });
  }

  #keysOf(member: MemberId): Uint8Array[] {
    const { members, devices } = this.#parts.directory.state;
    const active = members.get(member)?.activeDevices ?? [];
    return active.map((id) => (devices.get(id) as Device).signingPublicKey);
  }
}
