import { toBase64Url, type DeviceId } from '@keytide/crypto-core';
import {
  mailConfirmResponse,
  mailPageResponse,
  mailResponse,
  preKeyOfferResponse,
  preKeysResponse,
  preKeyStockResponse,
  type MailPageBody,
} from '@keytide/relay-protocol';
import type { Letter } from './direct-shelf.ts';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';
import type { PreKeyOffer, PreKeys } from './sessions.ts';

type Api = Pick<RelayApi, 'call'>;

/** Hands a letter in; doing it again is harmless. @throws ClientError `offline`, `relay-refused` */
export async function postMail(api: Api, { recipient, id, bytes }: Letter): Promise<void> {
  const body = { recipient, id: toBase64Url(id), message: toBase64Url(bytes) };
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

/** How many one-time pairs of this device the relay has left; `null` where it has no bundle in force. */
export async function readPreKeyStock(api: Api): Promise<number | null> {
  return (await api.call('GET', '/pre-keys', preKeyStockResponse)).left;
}

/** Hands in pre-keys of this device. @throws ClientError `offline`, `relay-refused` */
export async function publishPreKeys(api: Api, { bundle, oneTime, replacesAll }: PreKeys): Promise<void> {
  const body = {
    bundle: toBase64Url(bundle),
    oneTime: oneTime.map((pair) => toBase64Url(pair)),
    replacesAll,
  };
  await api.call('POST', '/pre-keys', preKeysResponse, body);
}

/** Pre-keys of another device for one session, not verified. @throws ClientError `relay-refused` with `no-pre-keys` */
export function fetchPreKeys(api: Api, device: DeviceId): Promise<PreKeyOffer> {
  return api.call('POST', `/pre-keys/${device}`, preKeyOfferResponse, {});
}
