import { concatBytes, groupId, idBytes, orgId } from '@keytide/crypto-core';
import type { NodeStore } from '../node-store.ts';
import type { SqlDatabase } from './database.ts';

/** The part of the store by which several relays share it. */
export function sqlNodes(database: SqlDatabase): NodeStore {
  return {
    async drawMoment() {
      const [row] = await database.query(`select nextval('relay_moments') as moment`);
      return row?.['moment'] as number;
    },
    async renewNode({ node, relayKey, leaseMs, acked }) {
      await database.query(
        `with old as (delete from relay_nodes where lease_until < clock_timestamp() - interval '1 day' and node <> $1)
         insert into relay_nodes values ($1, clock_timestamp() + $2::int * interval '1 millisecond', $3, $4)
         on conflict (node) do update set lease_until = excluded.lease_until, acked = excluded.acked`,
        [node, leaseMs, acked, relayKey],
      );
    },
    async leaveNodes(node) {
      await database.query('delete from relay_nodes where node = $1', [node]);
    },
    async countNodesBehind(node, moment) {
      const [row] = await database.query(
        `select count(*) as behind from relay_nodes
         where node <> $1 and acked < $2 and lease_until > clock_timestamp()`,
        [node, moment],
      );
      return row?.['behind'] as number;
    },
    async listNodes() {
      const rows = await database.query(
        'select node, relay_key from relay_nodes where lease_until > clock_timestamp() order by node',
      );
      return rows.map((row) => ({
        node: row['node'] as Uint8Array,
        relayKey: row['relay_key'] as Uint8Array,
      }));
    },
    async hasLostNodes() {
      const rows = await database.query(
        `select 1 as one from relay_nodes
         where lease_until between clock_timestamp() - interval '10 minutes' and clock_timestamp() limit 1`,
      );
      return rows.length > 0;
    },
    async readOrgHeads(orgs) {
      const rows = await database.query(
        `select org, log_size, session_generation from organisations
         where org in (select substring($1::bytea from n * 32 - 31 for 32) from generate_series(1, $2::int) n)`,
        [concatBytes(...orgs.map(idBytes)), orgs.length],
      );
      return new Map(
        rows.map((row) => [
          orgId(row['org'] as Uint8Array),
          {
            logSize: row['log_size'] as number,
            sessionGeneration: row['session_generation'] as number,
          },
        ]),
      );
    },
    async readGroupHeads(groups) {
      const rows = await database.query(
        `select g.org, g.grp, g.head_seq from generate_series(1, $2::int) n
         join groups g on g.org = substring($1::bytea from n * 64 - 63 for 32)
           and g.grp = substring($1::bytea from n * 64 - 31 for 32)`,
        [concatBytes(...groups.flatMap(({ org, group }) => [idBytes(org), idBytes(group)])), groups.length],
      );
      return rows.map((row) => ({
        org: orgId(row['org'] as Uint8Array),
        group: groupId(row['grp'] as Uint8Array),
        headSeq: row['head_seq'] as number,
      }));
    },
  };
}
