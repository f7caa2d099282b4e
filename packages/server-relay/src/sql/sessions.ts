import { concatBytes, fromHex, idBytes, orgId, toHex, type OrgId } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';
import type { SessionStore, SessionsToEnd, StoredSession } from '../session-store.ts';
import type { SqlDatabase, SqlRow, SqlRunner } from './database.ts';

/** Whether no kill has ended the sessions `s` of before it. */
const LIVES = `s.generation >= coalesce((select o.session_floor from organisations o where o.org = s.org), 0)`;

/** The part of the store that keeps sessions. */
export function sqlSessions(database: SqlDatabase): SessionStore {
  return {
    async putSession({ org, id, subject, tokenHash, expiresMs, refreshHash, endsMs }, most) {
      await database.query(
        `with gone as (
           delete from sessions where org = $1 and session in (
             select session from sessions where org = $1 and kind = $3 and subject = $4
             order by ends_ms desc, session offset $9::int - 1)
         )
         insert into sessions (org, token_hash, kind, subject, expires_ms, session, refresh_hash, ends_ms, generation)
         values ($1, $2, $3, $4, $5, $6, $7, $8,
           coalesce((select o.session_generation from organisations o where o.org = $1), 0))`,
        [
          idBytes(org),
          tokenHash,
          subject.kind,
          subjectBytes(subject),
          expiresMs,
          id,
          refreshHash,
          endsMs,
          most,
        ],
      );
    },
    async readSession(org, tokenHash) {
      const [row] = await database.query(
        `select s.org, s.session, s.kind, s.subject, s.expires_ms,
           coalesce(o.session_generation, 0) as as_of, coalesce(o.log_size, 0) as log_size
         from sessions s left join organisations o on o.org = s.org
         where s.org = $1 and s.token_hash = $2 and s.generation >= coalesce(o.session_floor, 0)`,
        [idBytes(org), tokenHash],
      );
      return row === undefined ? null : sessionIn(row);
    },
    async refreshSession({ org, id, shownHash, tokenHash, expiresMs, refreshHash, nowMs }) {
      // Whoever comes second waits for the row here, and finds another hash in it.
      const [row] = await database.query(
        `update sessions s set token_hash = $4, expires_ms = least($5::bigint, s.ends_ms), refresh_hash = $6
         where s.org = $1 and s.session = $2 and s.refresh_hash = $3 and s.ends_ms > $7 and ${LIVES}
         returning s.expires_ms, s.ends_ms`,
        [idBytes(org), id, shownHash, tokenHash, expiresMs, refreshHash, nowMs],
      );
      if (row !== undefined)
        return { expiresMs: row['expires_ms'] as number, endsMs: row['ends_ms'] as number };
      const alive = await database.query(
        `select 1 as one from sessions s where s.org = $1 and s.session = $2 and s.ends_ms > $3 and ${LIVES}`,
        [idBytes(org), id, nowMs],
      );
      return alive.length > 0 ? 'reused' : null;
    },
    endSessions: (which) => database.transaction((runner) => endStored(runner, which)),
    async readLiveSessions(org, ids) {
      // One statement, so that the generation and the sessions are of one moment.
      const rows = await database.query(
        `select o.session_generation, s.session from organisations o
         left join sessions s on s.org = o.org and s.generation >= o.session_floor
           and s.session in (select substring($2::bytea from n * 32 - 31 for 32) from generate_series(1, $3::int) n)
         where o.org = $1`,
        [idBytes(org), concatBytes(...ids), ids.length],
      );
      return {
        generation: (rows[0]?.['session_generation'] ?? 0) as number,
        ids: rows.flatMap((row) => (row['session'] === null ? [] : [row['session'] as Uint8Array])),
      };
    },
  };
}

/** How many sessions are meant that have not ended. */
export async function countSessions(runner: Pick<SqlRunner, 'query'>, which: SessionsToEnd): Promise<number> {
  const lives = `${LIVES} and s.ends_ms > extract(epoch from clock_timestamp()) * 1000`;
  const count = async (meant: string, parameters: readonly (Uint8Array | number)[]): Promise<number> => {
    const [row] = await runner.query(
      `select count(*)::bigint as count from sessions s where ${lives} and ${meant}`,
      [...parameters],
    );
    return row?.['count'] as number;
  };
  switch (which.of) {
    case 'session':
      return count('s.org = $1 and s.session = $2', [idBytes(which.org), which.id]);
    case 'devices':
      return count(
        `s.org = $1 and s.kind = 'device' and s.session <> $4 and s.subject in (
           select substring($2::bytea from n * 32 - 31 for 32) from generate_series(1, $3::int) n)`,
        [
          idBytes(which.org),
          concatBytes(...which.devices.map(idBytes)),
          which.devices.length,
          which.but ?? new Uint8Array(),
        ],
      );
    case 'organisation':
      return count('s.org = $1', [idBytes(which.org)]);
    case 'relay':
      return count('true', []);
  }
}

/** Ends sessions. The organisation's row first, as an entry of the membership log takes it: two that wait for each other would be one too many. */
export async function endStored(runner: SqlRunner, which: SessionsToEnd): Promise<void> {
  switch (which.of) {
    case 'session':
      await raise(runner, which.org);
      await runner.query('delete from sessions where org = $1 and session = $2', [
        idBytes(which.org),
        which.id,
      ]);
      return;
    case 'devices':
      await raise(runner, which.org);
      await runner.query(
        `delete from sessions where org = $1 and kind = 'device' and session <> $4 and subject in (
           select substring($2::bytea from n * 32 - 31 for 32) from generate_series(1, $3::int) n)`,
        [
          idBytes(which.org),
          concatBytes(...which.devices.map(idBytes)),
          which.devices.length,
          which.but ?? new Uint8Array(),
        ],
      );
      return;
    case 'organisation':
      await runner.query(
        `update organisations set session_generation = session_generation + 1, session_floor = session_generation + 1
         where org = $1`,
        [idBytes(which.org)],
      );
      return;
    case 'relay':
      // In one order for everybody: two of these must not lock each other up.
      await runner.query(
        `update organisations set session_generation = session_generation + 1, session_floor = session_generation + 1
         where org in (select org from organisations order by org for update)`,
      );
  }
}

async function raise(runner: SqlRunner, org: OrgId): Promise<void> {
  await runner.query('update organisations set session_generation = session_generation + 1 where org = $1', [
    idBytes(org),
  ]);
}

/** 32 bytes, as a subject's id is kept. */
export function subjectBytes({ id }: Subject): Uint8Array {
  return fromHex(id) ?? new Uint8Array();
}

function sessionIn(row: SqlRow): StoredSession {
  return {
    org: orgId(row['org'] as Uint8Array),
    // A copy: what comes from the database is a part of something larger, which a socket would hold for as long as it lives.
    id: (row['session'] as Uint8Array).slice(),
    subject: { kind: row['kind'] as Subject['kind'], id: toHex(row['subject'] as Uint8Array) },
    expiresMs: row['expires_ms'] as number,
    asOf: row['as_of'] as number,
    logSize: row['log_size'] as number,
  };
}
