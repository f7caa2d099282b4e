import { toBase64Url, type GroupId, type MemberId, type OrgId, type Primitives } from '@keytide/crypto-core';
import {
  createExportStatement,
  DirectoryError,
  verifyDeletionStatement,
  type DeletionStatement,
} from '@keytide/key-directory';
import { exportResponse, retentionResponse } from '@keytide/relay-protocol';
import type { ClientParts } from './client-parts.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';

/** A day of the group's log that the relay is about to forget. */
export interface DueDay {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** When the relay forgets it, by its clock; where it has to be exported first, no earlier than that. */
  readonly dueMs: number;
  /** Whether an admin's or exporter's device has said that it has exported it. */
  readonly isExported: boolean;
}

/** What the relay is about to forget, by its own word. */
export interface RetentionDue {
  /** Whether the policy lets go what nobody has exported. */
  readonly isWaived: boolean;
  /** What the relay has forgotten by its own signature, the newest first; empty where the policy names no relay's key. */
  readonly deleted: readonly DeletionStatement[];
  /** Oldest first; what is due in a week, or in a quarter of Y where that is less. */
  readonly days: readonly DueDay[];
}

/** What an export has of the group's log: everything up to a seq, and the log's root there (32 bytes). */
export interface Exported {
  readonly throughSeq: number;
  readonly root: Uint8Array;
}

const TRIES = 5;

/** What a device needs to speak for its organisation's exports. */
interface ReleaseContext extends Pick<ClientParts, 'api' | 'self' | 'directory'> {
  readonly ports: Pick<Ports, 'primitives' | 'clock'>;
  readonly group: GroupId;
}

/** @throws ClientError `offline`, `relay-misbehaved`, `relay-refused` with `not-a-member` for who is neither admin nor exporter */
export async function readDue({ ports, api, directory, group }: ReleaseContext): Promise<RetentionDue> {
  const { waived, due, deleted } = await api.call('GET', '/retention', retentionResponse);
  const own = due.filter((day) => day.group === group);
  const days = own.map(({ firstSeq, lastSeq, dueAtMs, isExported }) => {
    return { firstSeq, lastSeq, dueMs: dueAtMs, isExported };
  });
  const { org, policy } = directory.state;
  const { relayKey } = policy;
  if (relayKey === undefined) return { isWaived: waived, days, deleted: [] };
  const statements = deleted.map((wire) => verified(ports.primitives, { org, relayKey }, wire));
  return { isWaived: waived, days, deleted: statements };
}

/** Whether this member may ask what is due, and say what was exported. */
export function mayExport(directory: DirectoryReplica, member: MemberId): boolean {
  const role = directory.size === 0 ? undefined : directory.state.members.get(member)?.role;
  return role === 'admin' || role === 'exporter';
}

function verified(
  primitives: Primitives,
  whose: { readonly org: OrgId; readonly relayKey: Uint8Array },
  wire: Uint8Array,
): DeletionStatement {
  try {
    return verifyDeletionStatement(primitives, whose, wire);
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    const evidence = [wire];
    throw new ClientError('relay-misbehaved', 'not what this relay has signed', { cause, evidence });
  }
}

/**
 * Says, signed, that this device has exported the log: from then on the relay may forget it at its time.
 * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`
 */
export async function sayExported(context: ReleaseContext, { throughSeq, root }: Exported): Promise<void> {
  const { ports, api, self, directory, group } = context;
  const { org } = directory.state;
  const statement = createExportStatement(ports.primitives, self.signer, {
    ...{ org, group, throughSeq, root },
    device: self.device,
    exportedMs: ports.clock.now(),
  });
  const body = { statement: toBase64Url(statement) };
  const answer = await sayIt(() => api.call('POST', '/exports', exportResponse, body));
  if (answer.throughSeq !== throughSeq)
    throw new ClientError('relay-misbehaved', 'the relay counts another export than was handed in');
}

/** Again where somebody else's entry came in between. */
async function sayIt<T>(say: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await say();
    } catch (error) {
      const hasMoved = error instanceof ClientError && error.relayCode === 'head-moved';
      if (!hasMoved || tries === TRIES) throw error;
    }
  }
}
