import { deviceId, idBytes, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { WipeStore } from '../wipe-store.ts';
import type { SqlDatabase, SqlRunner } from './database.ts';

/** Wrong proofs after which a share is destroyed. */
const ATTEMPTS = 10;

/** For so long they are counted, also where a policy makes the lease shorter: an admin may be who guesses. */
const COUNTED_MS = 86_400_000;

/** Wrong attempts at `now`, a parameter of the statement: none, once the lease since the first is over. */
const wrongAt = (now: string, share = ''): string =>
  `case when ${share}counted_since_ms + greatest(${share}lease_ms, ${COUNTED_MS}) <= ${now}
   then 0 else ${share}attempts end`;

/** The part of the store that keeps receipts of wipes and unlock shares. */
export function sqlWipe(database: SqlDatabase): WipeStore {
  return {
    async putWipeReceipt({ org, device, wire }) {
      const rows = await database.query(
        `insert into wipe_receipts as old values ($1, $2, $3)
         on conflict (org, device) do update set wire = old.wire where old.wire = excluded.wire returning device`,
        [idBytes(org), idBytes(device), wire],
      );
      return rows.length > 0;
    },
    async listWipeReceipts(org, after) {
      const rows = await database.query(
        `select device, wire from wipe_receipts where org = $1 and device > $2
         order by device limit ${LIMITS.wipeReceiptPage}`,
        [idBytes(org), after === null ? new Uint8Array(0) : idBytes(after)],
      );
      return rows.map((row) => ({
        org,
        device: deviceId(row['device'] as Uint8Array),
        wire: row['wire'] as Uint8Array,
      }));
    },
    async putUnlockShare({ org, device, id, share, verifier, expiresMs, nowMs, logSize }) {
      // An entry that ends the device and is on its way deletes the share, or keeps it from coming.
      const [row] = await database.query(
        `with as_of as (select 1 from organisations where org = $1 and log_size = $8 for share)
         insert into unlock_shares as old (org, id, device, share, verifier, expires_ms, attempts, lease_ms)
         select $1, $2, $3, $4, $5, $6::bigint, 0, $6::bigint - $7::bigint from as_of
         on conflict (org, device) do update
         set id = excluded.id, share = excluded.share, verifier = excluded.verifier, expires_ms = excluded.expires_ms,
             attempts = case when old.id = excluded.id and old.verifier = excluded.verifier then old.attempts else 0 end,
             lease_ms = excluded.lease_ms
         returning ${wrongAt('$7', 'old.')} as wrong`,
        [idBytes(org), id, idBytes(device), share, verifier, expiresMs, nowMs, logSize],
      );
      return (row?.['wrong'] as number | undefined) ?? null;
    },
    async renewUnlockShare({ org, device, id, nowMs, expiresMs }) {
      const rows = await database.query(
        `update unlock_shares set expires_ms = $5, lease_ms = $5::bigint - $4::bigint
         where org = $1 and device = $2 and id = $3 and expires_ms > $4 and attempts < ${ATTEMPTS}
         returning ${wrongAt('$4')} as wrong`,
        [idBytes(org), idBytes(device), id, nowMs, expiresMs],
      );
      return (rows[0]?.['wrong'] as number | undefined) ?? null;
    },
    async takeUnlockAttempt({ org, id, nowMs }) {
      // Counted before anybody looks whether the proof is right, so that no two attempts are one.
      const [row] = await database.query(
        `update unlock_shares set attempts = 1 + (${wrongAt('$3')}),
           counted_since_ms = case when (${wrongAt('$3')}) = 0 then $3 else counted_since_ms end
         where org = $1 and id = $2 and expires_ms > $3 and attempts < ${ATTEMPTS}
         returning share, verifier, attempts`,
        [idBytes(org), id, nowMs],
      );
      if (row === undefined) return null;
      return {
        share: row['share'] as Uint8Array,
        verifier: row['verifier'] as Uint8Array,
        left: ATTEMPTS - (row['attempts'] as number),
      };
    },
    async returnUnlockAttempt(org, id) {
      await database.query(
        'update unlock_shares set attempts = greatest(attempts - 1, 0) where org = $1 and id = $2',
        [idBytes(org), id],
      );
    },
    async listUnlockAttempts(org, nowMs) {
      const rows = await database.query(
        `select device, ${wrongAt('$2')} as wrong from unlock_shares
         where org = $1 and expires_ms > $2 and (${wrongAt('$2')}) > 0
         order by wrong desc, device limit ${LIMITS.unlockAttemptsPage}`,
        [idBytes(org), nowMs],
      );
      return rows.map((row) => ({
        device: deviceId(row['device'] as Uint8Array),
        wrong: row['wrong'] as number,
      }));
    },
    async deleteUsedUpShare(org, id) {
      await database.query('delete from unlock_shares where org = $1 and id = $2', [idBytes(org), id]);
    },
    async deleteUnlockShare(org, device) {
      const rows = await database.query(
        'delete from unlock_shares where org = $1 and device = $2 returning device',
        [idBytes(org), idBytes(device)],
      );
      return rows.length > 0;
    },
  };
}

/** Deletes the shares whose lease has run out, or whose attempts are used up. */
export async function forgetShares(runner: Pick<SqlRunner, 'query'>, nowMs: number): Promise<void> {
  await runner.query(`delete from unlock_shares where expires_ms <= $1 or attempts >= ${ATTEMPTS}`, [nowMs]);
}

/** Deletes what is kept for a device that has ended, inside somebody's transaction. */
export async function forgetDevice(runner: SqlRunner, org: OrgId, device: DeviceId): Promise<void> {
  await runner.query('select forget_device($1, $2)', [idBytes(org), idBytes(device)]);
}
