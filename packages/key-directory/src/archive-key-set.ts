import {
  CryptoError,
  equalBytes,
  parseQuorumSet,
  publicKeyFingerprint,
  verifyQuorumSet,
  type DeviceId,
  type MemberId,
  type Primitives,
  type QuorumSet,
} from '@keytide/crypto-core';
import type { Role } from './role.ts';
import type { Device, DirectoryState } from './state.ts';

/** A set of shares of an archive key, as a membership log bears it out. */
export interface ArchiveKeySet {
  /** Its signature is that of `dealer`. */
  readonly set: QuorumSet;
  /** Whoever split the key, and what they are now; `null` for a member who was removed. */
  readonly dealer: {
    readonly device: DeviceId;
    readonly member: MemberId;
    readonly handle: string;
    readonly role: Role | null;
  };
  /** X-Wing, 1216 bytes: the policy's archive key, or one that it had. */
  readonly publicKey: Uint8Array;
  readonly isCurrent: boolean;
}

/** What a set is checked against. */
interface MembershipHistory {
  /** By the log's end. */
  readonly state: DirectoryState;
  /** After `size` entries. */
  stateAt(size: number): DirectoryState;
  /** Every archive key that the policy has had. */
  readonly archiveKeys: readonly Uint8Array[];
}

/**
 * Checks a set against a log: its dealer's signature, and that the key is one that the policy has, or had
 * (docs/spec/quorum.md, "The archive key").
 * @throws CryptoError `wrong-context` (another organisation, or a dealer that never was a device of an admin), `bad-signature`,
 *   `commitment-mismatch` (a key that the policy never had), `malformed`, `too-large`, `unsupported-version`
 */
export function judgeArchiveKeySet(
  primitives: Primitives,
  history: MembershipHistory,
  wire: Uint8Array,
): ArchiveKeySet {
  const { state, archiveKeys } = history;
  const claimed = parseQuorumSet(primitives, wire);
  const device = state.devices.get(claimed.dealer);
  const member = device === undefined ? undefined : state.members.get(device.member);
  if (device === undefined || member === undefined)
    throw new CryptoError('wrong-context', 'dealt by nobody of this organisation');
  const found = archiveKeys.find((key) =>
    equalBytes(publicKeyFingerprint(primitives, 'x-wing-seed', key), claimed.fingerprint),
  );
  const set = verifyQuorumSet(primitives, wire, {
    org: state.org,
    dealer: primitives.verifier(device.signingPublicKey),
    previous: 'any',
    publicKey: found ?? null,
  });
  if (found === undefined) throw new CryptoError('commitment-mismatch', 'a key that the policy never had');
  if (!wasAdminDevice(history, device))
    throw new CryptoError('wrong-context', 'dealt by no device of an admin');
  const { id, handle, role, removedAt } = member;
  const { archiveKey } = state.policy;
  return {
    set,
    dealer: { device: device.id, member: id, handle, role: removedAt === null ? role : null },
    publicKey: found,
    isCurrent: archiveKey !== undefined && equalBytes(archiveKey, found),
  };
}

/** Whether a device was active while its member was an admin, at any time in the log. */
function wasAdminDevice(
  { state, stateAt }: MembershipHistory,
  { member, addedAt, revokedAt }: Device,
): boolean {
  const isAdminIn = ({ members }: DirectoryState): boolean => members.get(member)?.role === 'admin';
  if (revokedAt === null && isAdminIn(state)) return true;
  const end = revokedAt ?? state.size;
  for (let size = addedAt + 1; size <= end; size += 1) if (isAdminIn(stateAt(size))) return true;
  return false;
}
