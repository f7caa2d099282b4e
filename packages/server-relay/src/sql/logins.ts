import { idBytes, toHex } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';
import type { RelayStore } from '../store.ts';
import type { SqlDatabase, SqlRunner } from './database.ts';
import { forgetOldPreKeys, forgetPreKeys } from './pre-keys.ts';
import { endPush } from './push.ts';
import { subjectBytes } from './sessions.ts';
import { forgetShares } from './wipe.ts';

/** The part of the store that keeps challenges, and forgets what is over. */
export function sqlLogins(
  database: SqlDatabase,
): Pick<RelayStore, 'putChallenge' | 'takeChallenge' | 'forgetLogins' | 'forgetExpired'> {
  return {
    async putChallenge({ org, challenge, subject, expiresMs }) {
      await database.query('insert into challenges values ($1, $2, $3, $4, $5)', [
        idBytes(org),
        challenge,
        subject.kind,
        subjectBytes(subject),
        expiresMs,
      ]);
    },
    async takeChallenge({ org, challenge, subject }, nowMs) {
      const rows = await database.query(
        'delete from challenges where org = $1 and challenge = $2 returning kind, subject, expires_ms',
        [idBytes(org), challenge],
      );
      return rows.some(
        (row) =>
          row['kind'] === subject.kind &&
          toHex(row['subject'] as Uint8Array) === subject.id &&
          (row['expires_ms'] as number) > nowMs,
      );
    },
    async forgetLogins(nowMs) {
      await database.query('delete from challenges where expires_ms < $1', [nowMs]);
      await database.query('delete from sessions where ends_ms < $1 and expires_ms < $1', [nowMs]);
    },
    async forgetExpired(nowMs) {
      await forgetShares(database, nowMs);
      await database.query('delete from access_requests where expires_ms < $1', [nowMs]);
      await database.query('delete from mail where expires_ms < $1', [nowMs]);
      await forgetOldPreKeys(database, nowMs);
    },
  };
}

/** Ends all sessions of a subject, and forgets what a device told the relay alone and what waits for it, inside somebody's transaction. */
export async function endSessions(runner: SqlRunner, org: Uint8Array, subject: Subject): Promise<void> {
  await runner.query('delete from sessions where org = $1 and kind = $2 and subject = $3', [
    org,
    subject.kind,
    subjectBytes(subject),
  ]);
  if (subject.kind !== 'device') return;
  await runner.query('delete from system_values where org = $1 and device = $2', [
    org,
    subjectBytes(subject),
  ]);
  await runner.query('delete from mail where org = $1 and recipient = $2', [org, subjectBytes(subject)]);
  await forgetPreKeys(runner, org, subjectBytes(subject));
  await endPush(runner, org, subjectBytes(subject));
}
