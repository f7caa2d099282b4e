import type { Primitives } from '@keytide/crypto-core';
import { archiveOf } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';

interface ArchiveBoxContext {
  readonly ports: { readonly primitives: Primitives };
  readonly api: Pick<RelayApi, 'box'>;
  readonly directory: Pick<DirectoryReplica, 'stateAt'>;
  readonly epochs: Pick<EpochRing, 'statementOf'>;
}

/** Asks for the box to the archive that the log named when the epoch was made: which one that is, the relay has no say in. */
export async function readArchiveBox(
  { ports, api, directory, epochs }: ArchiveBoxContext,
  epoch: number,
): Promise<Uint8Array | null> {
  const statement = epochs.statementOf(epoch);
  if (statement === null) throw new ClientError('not-ready', 'an epoch that is not known here');
  const archive = archiveOf(ports.primitives, directory.stateAt(statement.checkpoint.size));
  return archive === null ? null : await api.box(statement.group, epoch, archive.device);
}
