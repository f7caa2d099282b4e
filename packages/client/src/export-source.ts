import {
  exportArchive,
  type ArchiveBox,
  type EpochKey,
  type ExportedArchive,
  type ExportOptions,
  type ExportSource,
  type NamedAttachment,
  type SourceGroup,
} from '@keytide/archive';
import { CryptoError, EMPTY_FRONTIER, toBase64Url } from '@keytide/crypto-core';
import { everyoneGroup } from '@keytide/key-directory';
import { readArchiveBox } from './archive-box.ts';
import type { AttachmentRef } from './attachment-ref.ts';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';
import { ClientError } from './errors.ts';
import { exportedEntries } from './export-entries.ts';
import { frontierOf } from './log-floor.ts';

/** What an export leaves to choose. */
export interface OrganisationExport extends Omit<
  ExportOptions,
  'primitives' | 'random' | 'now' | 'source' | 'exporter'
> {
  /** The signed set of the archive key's shares, as `dealArchiveKey` gave it: with it, who opens the archive needs no other file. */
  readonly archiveKeySet?: Uint8Array | null;
  /** Asks the relay for nothing, for one that is gone or not to be waited for: attachments are missing, with `offline`. */
  readonly isOffline?: boolean;
}

/**
 * Writes an archive of everything that this device has (docs/spec/archive.md), signed by it. Wait for `client.online()`
 * before, for everything that the relay has; without a connection it is what was there when it was lost. Called again
 * after a stop, with the same options and place, it goes on where it was.
 * @throws ArchiveError as `exportArchive`; CryptoError as `client.readArchiveKeySet`; ClientError `offline` when an attachment has to be had first, unless `isOffline`; `closed`,
 *   `source-changed` when the relay lost entries meanwhile; all can be tried again
 */
export async function exportOrganisation<D extends Declarations>(
  client: Client<D>,
  { archiveKeySet = null, isOffline = false, ...options }: OrganisationExport,
): Promise<ExportedArchive> {
  const core = coreOf(client);
  // Nobody is to find out decades later that it is of something else.
  if (archiveKeySet !== null) client.readArchiveKeySet(archiveKeySet);
  const { self } = core.parts;
  const { primitives, random, clock } = core.log.ports;
  return await exportArchive({
    ...options,
    ...{ primitives, random, now: () => clock.now(), source: sourceOf(core, { archiveKeySet, isOffline }) },
    exporter: { device: self.device, signer: self.signer },
  });
}

/** What this device has, as the source of an archive. It can be read while the client runs, and changes nothing in it. */
export function exportSource<D extends Declarations>(client: Client<D>): ExportSource {
  return sourceOf(coreOf(client), { archiveKeySet: null, isOffline: false });
}

function sourceOf(
  core: ClientCore,
  { archiveKeySet, isOffline }: Required<Pick<OrganisationExport, 'archiveKeySet' | 'isOffline'>>,
): ExportSource {
  const { parts, epochs, replica, attachments } = core;
  const { directory, journal } = parts;
  const { org } = core.identity;
  const group = everyoneGroup(core.log.ports.primitives, org);

  return {
    org,
    async *membership() {
      yield* directory.wires(0);
    },
    checkpoint: async () => directory.checkpoint?.note ?? null,
    archiveKeySet: async () => archiveKeySet,
    async groups(): Promise<readonly SourceGroup[]> {
      core.sync.assertNotOver();
      // After a crash this device still has what the export is to have.
      await journal.flush();
      const { floor, size: throughSeq } = replica;
      if (floor === null) return [{ group, before: EMPTY_FRONTIER, statementBefore: null, throughSeq }];
      const before = frontierOf(floor.firstSeq, floor.frontier);
      return [{ group, before, statementBefore: floor.statement, throughSeq }];
    },
    entries: (_group, fromSeq, throughSeq) => exportedEntries(core, { fromSeq, throughSeq }),
    async *epochKeys(): AsyncGenerator<EpochKey> {
      for (const { epoch, hash } of epochs.statements) {
        const key = await epochs.keyOf(epoch);
        if (key === null) continue;
        yield { epoch, statement: hash, key };
        key.dispose();
      }
    },
    async *archiveBoxes(_group, wanted): AsyncGenerator<ArchiveBox> {
      // Without a connection there are none here: what they open, the epoch keys open as well.
      if (isOffline || core.sync.online === null) return;
      const context = { ports: core.log.ports, api: parts.api, directory, epochs };
      for (const { epoch } of epochs.statements) {
        const box = wanted.has(epoch) ? await readArchiveBox(context, epoch) : null;
        if (box !== null) yield { epoch, box };
      }
    },
    async *attachment(named) {
      if (isOffline) throw new ClientError('offline', 'attachments are at the relay, and it is not asked');
      yield* attachments.download(refOf(named));
    },
    missingCodeOf: (error) =>
      isOffline && error instanceof ClientError && error.code === 'offline'
        ? error.code
        : missingCodeOf(error),
  };
}

/** What is gone at the relay, and what its sender did not describe, is gone for good. */
function missingCodeOf(error: unknown): string | null {
  if (error instanceof CryptoError) return 'tampered';
  return error instanceof ClientError && error.code === 'attachment-gone' ? error.code : null;
}

function refOf({ blob, descriptor, sizeBytes }: NamedAttachment): AttachmentRef {
  return { blob, descriptor: toBase64Url(descriptor), sizeBytes } as AttachmentRef;
}
