import { deviceId, groupId, idBytes, orgId } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { AccessStore, StoredAccessRequest } from '../access-store.ts';
import type { SqlDatabase, SqlRow } from './database.ts';

const VERDICTS = ['kept', 'repeated', 'too-soon'] as const;
const COLUMNS = 'org, id, grp, device, wire, expires_ms';

/** The part of the store that keeps access requests and their answers. */
export function sqlAccess(database: SqlDatabase): AccessStore {
  return {
    async putAccessRequest({ org, id, group, device, wire, nowMs, sinceMs, expiresMs }) {
      const [row] = await database.query(
        'select put_access_request($1, $2, $3, $4, $5, $6, $7, $8) as verdict',
        [idBytes(org), id, idBytes(group), idBytes(device), wire, nowMs, sinceMs, expiresMs],
      );
      return VERDICTS[row?.['verdict'] as number] as (typeof VERDICTS)[number];
    },
    async readAccessRequest(org, id, nowMs) {
      const [row] = await database.query(
        `select ${COLUMNS} from access_requests where org = $1 and id = $2 and expires_ms > $3`,
        [idBytes(org), id, nowMs],
      );
      return row === undefined ? null : requestIn(row);
    },
    async listAccessRequests(org, after, nowMs) {
      const rows = await database.query(
        `select ${COLUMNS} from access_requests where org = $1 and id > $2 and expires_ms > $3
         order by id limit ${LIMITS.accessPageRequests + 1}`,
        [idBytes(org), after ?? new Uint8Array(0), nowMs],
      );
      const requests = rows.slice(0, LIMITS.accessPageRequests).map(requestIn);
      return { requests, more: rows.length > requests.length };
    },
    async deleteAccessRequest(org, id, device) {
      await database.query('delete from access_requests where org = $1 and id = $2 and device = $3', [
        idBytes(org),
        id,
        idBytes(device),
      ]);
    },
    async putAccessAnswer({ org, id, author, wire, nowMs }) {
      const [row] = await database.query('select put_access_answer($1, $2, $3, $4, $5, $6) as kept', [
        idBytes(org),
        id,
        idBytes(author),
        wire,
        nowMs,
        LIMITS.accessAnswers,
      ]);
      return row?.['kept'] as boolean;
    },
    async readAccessAnswers(org, id) {
      const rows = await database.query(
        'select wire from access_answers where org = $1 and id = $2 order by author',
        [idBytes(org), id],
      );
      return rows.map((row) => row['wire'] as Uint8Array);
    },
  };
}

function requestIn(row: SqlRow): StoredAccessRequest {
  return {
    org: orgId(row['org'] as Uint8Array),
    id: row['id'] as Uint8Array,
    group: groupId(row['grp'] as Uint8Array),
    device: deviceId(row['device'] as Uint8Array),
    wire: row['wire'] as Uint8Array,
    expiresMs: row['expires_ms'] as number,
  };
}
