import {
  CryptoError,
  dealQuorum,
  equalBytes,
  parseQuorumSet,
  publicKeyFingerprint,
  redealQuorum,
  verifyQuorumSet,
  type DealtQuorum,
  type DeviceId,
  type MemberId,
  type QuorumSet,
  type RefusedShare,
  type Secret,
} from '@keytide/crypto-core';
import {
  DirectoryError,
  parseEntry,
  type Device,
  type DirectoryState,
  type Role,
} from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Self } from './epoch-ring.ts';
import type { Ports } from './ports.ts';

/** Among whom an archive key is split. */
export interface ArchiveKeyHolders {
  /** M: how many of them open an archive together, at least 2. */
  readonly threshold: number;
  /** Their names, 2 to 64 of them. Who holds two shares stands here twice. */
  readonly holders: readonly string[];
}

/** A set of shares of an archive key, as this device's own copy of the membership log bears it out. */
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

interface ArchiveKeyContext {
  readonly ports: Pick<Ports, 'primitives' | 'random' | 'clock'>;
  readonly self: Pick<Self, 'device' | 'signer'>;
  readonly directory: DirectoryReplica;
}

/** Splits a seed (32 bytes), signed by this device. @throws DirectoryError `not-permitted`; CryptoError as `dealQuorum` */
export function dealArchiveKey(
  context: ArchiveKeyContext,
  secret: Secret,
  among: ArchiveKeyHolders,
): Promise<DealtQuorum> {
  const { directory } = context;
  return dealQuorum({
    ...dealerOf(context),
    ...among,
    org: directory.state.org,
    kind: 'x-wing-seed',
    secret,
  });
}

/** Splits the key of a set anew. @throws DirectoryError `not-permitted`; CryptoError as `redealQuorum` */
export function redealArchiveKey(
  context: ArchiveKeyContext,
  { set }: Pick<ArchiveKeySet, 'set'>,
  shares: readonly Secret[],
  among: ArchiveKeyHolders,
): Promise<DealtQuorum & { refused: readonly RefusedShare[] }> {
  return redealQuorum({ ...dealerOf(context), ...among, previous: set, shares });
}

/**
 * Checks a set against the log: its dealer's signature, and that the key is one that the policy has, or had.
 * @throws CryptoError `wrong-context` (another organisation, or a dealer that never was a device of an admin), `bad-signature`,
 *   `commitment-mismatch` (a key that the policy never had), `malformed`, `too-large`, `unsupported-version`
 */
export function readArchiveKeySet(
  { ports, directory }: Pick<ArchiveKeyContext, 'ports' | 'directory'>,
  wire: Uint8Array,
): ArchiveKeySet {
  const { primitives } = ports;
  const { state } = directory;
  const claimed = parseQuorumSet(primitives, wire);
  const device = state.devices.get(claimed.dealer);
  const member = device === undefined ? undefined : state.members.get(device.member);
  if (device === undefined || member === undefined)
    throw new CryptoError('wrong-context', 'dealt by nobody of this organisation');
  const keys = archiveKeysIn(primitives, directory);
  const found = keys.find((key) =>
    equalBytes(publicKeyFingerprint(primitives, 'x-wing-seed', key), claimed.fingerprint),
  );
  const set = verifyQuorumSet(primitives, wire, {
    org: state.org,
    dealer: primitives.verifier(device.signingPublicKey),
    previous: 'any',
    publicKey: found ?? null,
  });
  if (found === undefined) throw new CryptoError('commitment-mismatch', 'a key that the policy never had');
  if (!wasAdminDevice(directory, device))
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
function wasAdminDevice(directory: DirectoryReplica, { member, addedAt, revokedAt }: Device): boolean {
  const isAdminIn = ({ members }: DirectoryState): boolean => members.get(member)?.role === 'admin';
  if (revokedAt === null && isAdminIn(directory.state)) return true;
  const end = revokedAt ?? directory.size;
  for (let size = addedAt + 1; size <= end; size += 1) if (isAdminIn(directory.stateAt(size))) return true;
  return false;
}

/** Every archive key that the policy has had, oldest first. */
function archiveKeysIn(primitives: Ports['primitives'], directory: DirectoryReplica): readonly Uint8Array[] {
  return directory.wires(0).flatMap((wire) => {
    const { body } = parseEntry(primitives, wire);
    return 'policy' in body && body.policy.archiveKey !== undefined ? [body.policy.archiveKey] : [];
  });
}

/** Whoever reads a set believes it because an admin has signed it. */
function dealerOf({ ports, self, directory }: ArchiveKeyContext) {
  const { members, devices } = directory.state;
  const member = devices.get(self.device)?.member;
  if (member === undefined || members.get(member)?.role !== 'admin')
    throw new DirectoryError('not-permitted', 'only admins split the archive key');
  const { primitives, random, clock } = ports;
  return { primitives, random, signer: self.signer, createdMs: clock.now() };
}
