import {
  dealQuorum,
  redealQuorum,
  type DealtQuorum,
  type RefusedShare,
  type Secret,
} from '@keytide/crypto-core';
import {
  DirectoryError,
  judgeArchiveKeySet,
  parseEntry,
  type ArchiveKeySet,
  type DirectoryState,
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

/** Checks a set against this device's own copy of the membership log. @throws as `judgeArchiveKeySet` */
export function readArchiveKeySet(
  { ports: { primitives }, directory }: Pick<ArchiveKeyContext, 'ports' | 'directory'>,
  wire: Uint8Array,
): ArchiveKeySet {
  const { state } = directory;
  const archiveKeys = archiveKeysIn(primitives, directory);
  const stateAt = (size: number): DirectoryState => directory.stateAt(size);
  return judgeArchiveKeySet(primitives, { state, stateAt, archiveKeys }, wire);
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
