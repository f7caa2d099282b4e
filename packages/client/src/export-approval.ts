import { approvalUnder, ArchiveError, type SignedManifest } from '@keytide/archive';
import { equalBytes } from '@keytide/crypto-core';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';

/** An approval that was given. */
export interface ArchiveApproval {
  /** To be put into the archive: `addApproval` of `@keytide/archive`. Public. */
  readonly approval: Uint8Array;
  /** Whether this device has the group's log at the archive's end, and found it to be the same. */
  readonly isCompared: boolean;
}

/**
 * This device's approval of an archive that another has made, as the policy asks for it (docs/spec/archive.md,
 * "Approvals"). Signs only what this device's own logs say as well; that the archive is whole is for `verifyArchive`,
 * before. Nothing is sent to the relay.
 * @throws ArchiveError `other-log`; `not-permitted` for no admin, by the log and by the archive, and for an admin who
 *   has made the archive, with whatever device
 */
export function approveArchive<D extends Declarations>(
  client: Client<D>,
  signed: Pick<SignedManifest, 'bytes' | 'manifest'>,
): ArchiveApproval {
  const core = coreOf(client);
  const { directory, self } = core.parts;
  const { org, membership, device: exporter, groups } = signed.manifest;
  const ownRoot = directory.rootAt(membership.size);
  if (org !== core.identity.org || ownRoot === null || !equalBytes(ownRoot, membership.root))
    throw new ArchiveError('other-log', 'of another membership log than that of this device');
  const { devices, members, everyone } = directory.stateAt(membership.size);
  const { member } = devices.get(self.device) ?? {};
  const isAdmin = [members, directory.state.members].every(
    (found) => member !== undefined && found.get(member)?.role === 'admin',
  );
  if (!isAdmin) throw new ArchiveError('not-permitted', 'only admins approve archives');
  if (devices.get(exporter)?.member === member)
    throw new ArchiveError('not-permitted', 'who has made an archive has signed it already');
  const archived = groups.find(({ group }) => group === everyone);
  if (archived === undefined) throw new ArchiveError('other-log', 'of none of the groups of this device');
  const own = core.replica.rootAt(archived.throughSeq);
  if (own !== null && !equalBytes(own, archived.root))
    throw new ArchiveError('other-log', 'of another log than that of this device');
  return {
    approval: approvalUnder(core.log.ports.primitives, signed, self),
    isCompared: own !== null,
  };
}
