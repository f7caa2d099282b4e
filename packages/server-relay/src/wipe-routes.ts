import { deviceId, toBase64Url, type OrgId, type Primitives } from '@keytide/crypto-core';
import { DirectoryError, verifyWipeReceipt, type Device } from '@keytide/key-directory/verify';
import {
  LIMITS,
  wipeReceiptRequest,
  wipeReceiptResponse,
  wipeReceiptsQuery,
  wipeReceiptsResponse,
} from '@keytide/relay-protocol';
import type { Routes } from './create-routes.ts';
import { RelayError } from './errors.ts';
import { shortId, type Log } from './log-event.ts';
import type { Sockets } from './sockets.ts';
import { adminDevices } from './standing.ts';
import type { RelayStore } from './store.ts';

/** What the routes of wipes work with. */
export interface WipeRoutesOptions {
  readonly store: Pick<RelayStore, 'readLog' | 'putWipeReceipt' | 'listWipeReceipts'>;
  readonly primitives: Primitives;
  readonly hint: Sockets['hint'];
  readonly log: Log;
}

const RECEIPTS = '/v1/organisations/:org/wipe-receipts';

/** What a wiped device hands in, and admins read (docs/spec/wipe.md). */
export function addWipeRoutes(routes: Routes, options: WipeRoutesOptions): void {
  const { store } = options;

  routes.add(
    {
      method: 'post',
      path: RECEIPTS,
      who: 'wiped',
      summary: 'Hands in the receipt of the calling device: it has destroyed what it held',
      body: wipeReceiptRequest,
      answer: wipeReceiptResponse,
      status: 201,
      refusals: ['record-refused'],
    },
    async ({ caller: { org, state, device }, body: { receipt } }) => {
      const order = await verified(options, org, device, receipt);
      if (!(await store.putWipeReceipt({ org, device: device.id, wire: receipt })))
        throw new RelayError('record-refused', 'this device has given its receipt', { reason: 'unchanged' });
      options.log({ event: 'wipe-receipt', org: shortId(org) });
      options.hint(org, adminDevices(state), 'wipe');
      return { order };
    },
  );

  routes.add(
    {
      method: 'get',
      path: RECEIPTS,
      who: 'admin',
      summary: 'Receipts of devices that were wiped',
      query: wipeReceiptsQuery,
      answer: wipeReceiptsResponse,
    },
    async ({ caller: { org }, query: { after } }) => {
      const page = await store.listWipeReceipts(org, after === undefined ? null : deviceId(after));
      const last = page.length < LIMITS.wipeReceiptPage ? null : (page[page.length - 1]?.device ?? null);
      return { receipts: page.map(({ wire }) => toBase64Url(wire)), next: last };
    },
  );
}

/** So that nothing is kept that every admin would refuse. Answers the index of the order. */
async function verified(
  { store, primitives }: WipeRoutesOptions,
  org: OrgId,
  device: Device,
  receipt: Uint8Array,
): Promise<number> {
  const page = await store.readLog(org, device.wipedAt as number, 1);
  const wire = page?.entries[0];
  if (wire === undefined) throw new RelayError('database-failed', 'a log without an entry of its own');
  try {
    return verifyWipeReceipt(primitives, { org, device, wire }, receipt).order;
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    throw new RelayError('record-refused', 'not the receipt of this wipe', { cause, reason: cause.code });
  }
}
