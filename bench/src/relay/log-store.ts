import {
  concatBytes,
  groupId,
  idBytes,
  orgId,
  uint32Bytes,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { localKeyWrapper, openStore, type EnvelopeAppend, type RelayStore } from '@keytide/server-relay';
import type { TestPostgres } from '@keytide/testkit';
import { createAppendQueue, type AppendQueue } from '../../../packages/server-relay/src/append-queue.ts';
import { createDayKeys, type DayKeys } from '../../../packages/server-relay/src/day-keys.ts';
import { createGroupLogs, type GroupLogs } from '../../../packages/server-relay/src/group-logs.ts';
import { MESSAGE_BYTES } from './crowds/crowd.ts';

/** What a relay does with group logs, without sockets in front of it: order, seal and store. */
export interface LogStore {
  readonly url: string;
  readonly store: RelayStore;
  readonly keys: DayKeys;
  readonly logs: GroupLogs;
  readonly queue: AppendQueue;
  readonly clock: { nowMs: number; now(): number };
  readonly retention: { readonly exportSeconds: number; readonly exportWaived: true };
  /** Groups of one organisation each, as after their first epoch. */
  readonly groups: readonly { readonly org: OrgId; readonly group: GroupId }[];
  close(): Promise<void>;
}

const DAY_SECONDS = 86_400;

/** Opens one on a new database, with so many groups in so many organisations. */
export async function openLogStore(
  postgres: TestPostgres,
  name: string,
  { organisations, groupsOfEach }: { readonly organisations: number; readonly groupsOfEach: number },
): Promise<LogStore> {
  const url = await postgres.createDatabase(name);
  const clock = {
    nowMs: Date.UTC(2030, 0, 10, 12),
    now(): number {
      return this.nowMs;
    },
  };
  const { store, lanes } = await openStore(
    { kind: 'postgres', url, keyFile: '/dev/null' },
    primitives,
    clock.now(),
  );
  const retention = { exportSeconds: DAY_SECONDS, exportWaived: true } as const;
  const keys = createDayKeys({ store, wrapper: localKeyWrapper(primitives, random, random(32)), random });
  const retentionOf = (): Promise<typeof retention> => Promise.resolve(retention);
  const logs = createGroupLogs({ store, keys, primitives, random, clock, retentionOf });
  const none = (): void => undefined;
  const queue = createAppendQueue({ logs, lanes, stored: none, repeated: none });
  const groups = Array.from({ length: organisations }, () => orgId(random(32))).flatMap((org) =>
    Array.from({ length: groupsOfEach }, () => ({ org, group: groupId(random(32)) })),
  );
  // The statement is of no interest to what stores it.
  const announce = { epoch: 1, statement: random(MESSAGE_BYTES), boxes: [] };
  await Promise.all(groups.map((place) => queue.announce({ ...place, ...announce, messageId: random(16) })));
  return { url, store, keys, logs, queue, clock, retention, groups, close: () => store.close() };
}

/** A message for a group. */
export function messageFor({ org, group }: LogStore['groups'][number]): EnvelopeAppend {
  const header = concatBytes(Uint8Array.of(1, 1), idBytes(group), uint32Bytes(1));
  const envelope = concatBytes(header, random(MESSAGE_BYTES - header.length));
  return { org, group, epoch: 1, messageId: random(16), envelope };
}
