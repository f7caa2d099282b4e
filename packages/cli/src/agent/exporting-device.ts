import type { ArchiveStats, ExportedArchive } from '@keytide/archive';
import type { Client, Declarations, RetentionDue } from '@keytide/client';
import {
  acknowledgeArchive,
  exportOrganisation,
  exportSource,
  type AcknowledgeChoice,
  type Acknowledgement,
  type OrganisationExport,
} from '@keytide/client/export';
import type { DeviceId, OrgId } from '@keytide/crypto-core';
import { currentSet, type GivenSet } from '../set-along.ts';

/** A device that is connected, as far as a round of the agent needs it. */
export interface ExportingDevice {
  readonly org: OrgId;
  readonly device: DeviceId;
  /** The last entry that it has of the log. */
  throughSeq(): Promise<number>;
  export(options: OrganisationExport): Promise<ExportedArchive>;
  /** Of the set of shares that may go along: what it is to have. @throws CliError as `currentSet` */
  currentSet(given: GivenSet | null): Uint8Array | null;
  acknowledge(stats: ArchiveStats, choice: AcknowledgeChoice): Promise<Acknowledgement>;
  /** What the relay is about to forget. */
  due(): Promise<RetentionDue>;
}

/** The device of any application. */
export function exportingDevice<D extends Declarations>(client: Client<D>): ExportingDevice {
  const { org, device } = client;
  return {
    ...{ org, device },
    throughSeq: async () => (await exportSource(client).groups())[0]?.throughSeq ?? 0,
    export: (options) => exportOrganisation(client, options),
    currentSet: (given) => currentSet(client, given),
    acknowledge: (stats, choice) => acknowledgeArchive(client, stats, choice),
    due: () => client.retentionDue(),
  };
}
