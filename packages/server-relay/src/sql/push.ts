import { concatBytes, deviceId, idBytes, orgId } from '@keytide/crypto-core';
import type { ClaimedPush, PushStore } from '../push/store.ts';
import type { SqlDatabase, SqlRow, SqlRunner } from './database.ts';

/** The devices in a parameter of joined ids. */
const devicesIn = (parameter: string): string =>
  `select substring(${parameter} from i * 32 + 1 for 32)
   from generate_series(0, octet_length(${parameter}) / 32 - 1) i`;

/** The part of the store that keeps who is told how that there is something new. */
export function sqlPush(database: SqlDatabase): PushStore {
  return {
    async putPushRegistration({ org, device, name, keyNumber, sealed }) {
      await database.transaction(async (runner) => {
        await runner.query('delete from push_registrations where org = $1 and name = $2 and device <> $3', [
          idBytes(org),
          name,
          idBytes(device),
        ]);
        await runner.query(
          `insert into push_registrations as old (org, device, name, key_number, sealed, reach)
           values ($1, $2, $3, $4, $5, push_reach($1, $2))
           on conflict (org, device) do update set name = $3, key_number = $4, sealed = $5,
             tries = case when old.name = $3 then old.tries else 0 end,
             ticket = case when old.name = $3 then old.ticket end`,
          [idBytes(org), idBytes(device), name, keyNumber, sealed],
        );
      });
    },
    async deletePushRegistration(org, device, name) {
      await database.query(
        'delete from push_registrations where org = $1 and device = $2 and ($3::bytea is null or name = $3)',
        [idBytes(org), idBytes(device), name ?? null],
      );
    },
    async putPresence(node, changes, dueMs) {
      let due = 0;
      const joined = (kind: 'came' | 'left' | 'lost'): Uint8Array =>
        concatBytes(
          ...changes.flatMap((change) =>
            change.kind === kind ? [idBytes(change.org), idBytes(change.device)] : [],
          ),
        );
      const among = `(org, device) in (select substring($1::bytea from i * 64 + 1 for 32), substring($1::bytea from i * 64 + 33 for 32)
        from generate_series(0, octet_length($1::bytea) / 64 - 1) i)`;
      await database.transaction(async (runner) => {
        const came = joined('came');
        if (came.length > 0)
          await runner.query(
            `update push_registrations set node = $2, due_ms = null, tries = 0, answered = true,
               reach = push_reach(org, device) where ${among} and not ended`,
            [came, node],
          );
        const left = joined('left');
        if (left.length > 0)
          await runner.query(
            `update push_registrations set node = null, due_ms = null, tries = 0, answered = true,
               reach = push_reach(org, device) where ${among} and not ended and (node is null or node = $2)`,
            [left, node],
          );
        const lost = joined('lost');
        if (lost.length === 0) return;
        const rows = await runner.query(
          `update push_registrations set node = null,
             due_ms = case when reach < push_reach(org, device) then $3::bigint else due_ms end
           where ${among} and not ended and (node is null or node = $2) returning due_ms`,
          [lost, node, dueMs],
        );
        due = rows.filter((row) => row['due_ms'] !== null).length;
      });
      return due;
    },
    async recoverPushes(node, dueMs) {
      const rows = await database.query(
        `update push_registrations set node = null, due_ms = case
           when due_ms is null and reach < push_reach(org, device) then $2 else due_ms end
         where (node <> $1 and node not in (select n.node from relay_nodes n where n.lease_until > clock_timestamp()))
           or (node is null and due_ms is null and reach < push_reach(org, device))
         returning due_ms`,
        [node, dueMs],
      );
      return rows.filter((row) => row['due_ms'] !== null).length;
    },
    async markPushDue(org, devices, { nowMs, intervalMs, repeatMs }) {
      const rows = await database.query(
        `update push_registrations
         set due_ms = greatest($2::bigint, told_ms + case when answered then $3::bigint else $4::bigint end)
         where org = $1 and due_ms is null and node is null and not ended
           and ($5::bytea is null or device in (${devicesIn('$5::bytea')}))
         returning device`,
        [idBytes(org), nowMs, intervalMs, repeatMs, devices && concatBytes(...devices.map(idBytes))],
      );
      return rows.length;
    },
    async claimPushes(nowMs, untilMs, most) {
      const rows = await database.query(
        `update push_registrations p set due_ms = $2
         from (select org, device from push_registrations where due_ms <= $1
               order by due_ms limit $3 for update skip locked) d
         where p.org = d.org and p.device = d.device
         returning p.org, p.device, p.name, p.key_number, p.sealed, p.due_ms, p.tries, p.told_ms, p.ticket`,
        [nowMs, untilMs, most],
      );
      return rows.map(claimIn);
    },
    async nextPushMs() {
      const [row] = await database.query('select min(due_ms) as next from push_registrations');
      return (row?.['next'] ?? null) as number | null;
    },
    async settlePush({ org, device, name, untilMs }, { nowMs, ticket }) {
      await database.query(
        `with gone as (
           delete from push_registrations where org = $1 and device = $2 and name = $3 and ended and due_ms = $4)
         update push_registrations set told_ms = $5, ticket = $6,
           answered = answered and due_ms is distinct from $4,
           reach = case when due_ms = $4 then push_reach(org, device) else reach end,
           tries = case when due_ms = $4 then 0 else tries end,
           due_ms = case when due_ms = $4 then null else due_ms end
         where org = $1 and device = $2 and name = $3 and not ended`,
        [idBytes(org), idBytes(device), name, untilMs, nowMs, ticket],
      );
    },
    async postponePush({ org, device, name, untilMs }, dueMs) {
      await database.query(
        `update push_registrations set due_ms = $5, tries = tries + 1
         where org = $1 and device = $2 and name = $3 and due_ms = $4`,
        [idBytes(org), idBytes(device), name, untilMs, dueMs],
      );
    },
  };
}

/** A device has lost its place: it is told once more, for it may have an order to find, and then forgotten. Inside somebody's transaction. */
export async function endPush(runner: SqlRunner, org: Uint8Array, device: Uint8Array): Promise<void> {
  await runner.query(
    `update push_registrations set ended = true, node = null, tries = 0, due_ms = 0
     where org = $1 and device = $2`,
    [org, device],
  );
}

function claimIn(row: SqlRow): ClaimedPush {
  return {
    org: orgId(row['org'] as Uint8Array),
    device: deviceId(row['device'] as Uint8Array),
    name: row['name'] as Uint8Array,
    keyNumber: row['key_number'] as number,
    sealed: row['sealed'] as Uint8Array,
    untilMs: row['due_ms'] as number,
    tries: row['tries'] as number,
    toldMs: row['told_ms'] as number,
    ticket: row['ticket'] as string | null,
  };
}
