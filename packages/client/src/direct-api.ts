import { toBase64Url } from '@keytide/crypto-core';
import {
  mailConfirmResponse,
  mailPageResponse,
  mailResponse,
  type MailPageBody,
} from '@keytide/relay-protocol';
import type { Letter } from './direct-shelf.ts';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';

type Api = Pick<RelayApi, 'call'>;

/** Hands a letter in; doing it again is harmless. @throws ClientError `offline`, `relay-refused` */
export async function postMail(api: Api, { recipient, id, wire }: Letter): Promise<void> {
  const body = { recipient, id: toBase64Url(id), message: toBase64Url(wire) };
  await api.call('POST', '/mail', mailResponse, body);
}

/** Messages to this device after a place in its mailbox, as many as one page holds, not opened. */
export async function readMail(api: Api, after: number): Promise<MailPageBody> {
  const page = await api.call('GET', `/mail?after=${after}`, mailPageResponse);
  let last = after;
  for (const { seq } of page.messages) {
    if (seq <= last) throw new ClientError('relay-misbehaved', 'a mailbox that does not go on');
    last = seq;
  }
  if (page.more && page.messages.length === 0)
    throw new ClientError('relay-misbehaved', 'a mailbox that does not go on');
  return page;
}

/** Lets the relay forget messages to this device. */
export async function confirmMail(api: Api, seqs: readonly number[]): Promise<void> {
  await api.call('POST', '/mail/confirm', mailConfirmResponse, { seqs });
}
