import { toBase64Url, type GroupId, type MemberId, type Primitives } from '@keytide/crypto-core';
import {
  createExportStatement,
  DirectoryError,
  parseEntry,
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
  const { relayKey } = directory.state.policy;
  if (relayKey === undefined) return { isWaived: waived, days, deleted: [] };
  const statements = deleted.map((wire) => verified(ports.primitives, directory, wire));
  return { isWaived: waived, days, deleted: statements };
}

/** Whether this member may ask what is due, and say what was exported. */
export function mayExport(directory: DirectoryReplica, member: MemberId): boolean {
  const role = directory.size === 0 ? undefined : directory.state.members.get(member)?.role;
  return role === 'admin' || role === 'exporter';
}

/** By any key that a policy has named: what was deleted before the key changed was signed with the one before. */
function verified(primitives: Primitives, directory: DirectoryReplica, wire: Uint8Array): DeletionStatement {
  const { org } = directory.state;
  let cause: unknown = null;
  for (const relayKey of relayKeys(primitives, directory))
    try {
      return verifyDeletionStatement(primitives, { org, relayKey }, wire);
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      cause = error;
      if (error.code !== 'bad-signature') break;
    }
  const evidence = [wire];
  throw new ClientError('relay-misbehaved', 'not what this relay has signed', { cause, evidence });
}

/** The newest first; the log is looked at only where that one is not enough. */
function* relayKeys(primitives: Primitives, directory: DirectoryReplica): Generator<Uint8Array> {
  const { relayKey } = directory.state.policy;
  if (relayKey !== undefined) yield relayKey;
  const wires = directory.wires(0);
  for (let at = wires.length - 1; at >= 0; at -= 1) {
    const { body } = parseEntry(primitives, wires[at] as Uint8Array);
    if ('policy' in body && body.policy.relayKey !== undefined) yield body.policy.relayKey;
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
