import { deviceId, idBytes } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { MailStore } from '../mail-store.ts';
import { integerArray, type SqlDatabase } from './database.ts';

const VERDICTS = ['stored', 'repeated', 'message-id-reused', 'mailbox-full', 'share-full'] as const;

/** A page ends at the message that passes this, so with one it stays below 1.1 MiB. */
const PAGE_BYTES = 1_048_576;

/** The part of the store that keeps pairwise messages. */
export function sqlMail(database: SqlDatabase): MailStore {
  return {
    async putMail({ org, recipient, sender, member, messageId, bytes, expiresMs, most, mostOfMember }) {
      const [row] = await database.query('select put_mail($1, $2, $3, $4, $5, $6, $7, $8, $9) as verdict', [
        idBytes(org),
        idBytes(recipient),
        idBytes(sender),
        idBytes(member),
        messageId,
        bytes,
        expiresMs,
        most,
        mostOfMember,
      ]);
      return VERDICTS[row?.['verdict'] as number] as (typeof VERDICTS)[number];
    },
    async listMail(org, recipient, afterSeq, nowMs) {
      const rows = await database.query(
        `select * from (
           select seq, sender, bytes, sum(octet_length(bytes)) over (order by seq) - octet_length(bytes) as before
           from (select * from mail where org = $1 and recipient = $2 and seq > $3 and expires_ms > $4
                 order by seq limit ${LIMITS.mailPage + 1}) page
         ) sized order by seq`,
        [idBytes(org), idBytes(recipient), afterSeq, nowMs],
      );
      const fitting = rows.filter((row) => Number(row['before']) < PAGE_BYTES).slice(0, LIMITS.mailPage);
      const messages = fitting.map((row) => ({
        seq: row['seq'] as number,
        sender: deviceId(row['sender'] as Uint8Array),
        bytes: row['bytes'] as Uint8Array,
      }));
      return { messages, more: rows.length > messages.length };
    },
    async confirmMail(org, recipient, seqs) {
      await database.query('delete from mail where org = $1 and recipient = $2 and seq = any($3::bigint[])', [
        idBytes(org),
        idBytes(recipient),
        integerArray(seqs),
      ]);
    },
  };
}
